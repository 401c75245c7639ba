/**
 * Signals to a process and its children, as one step: nothing else of this process runs in between.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"

/** The children of a process; none if it is gone. */
const childrenOf = (pid: number): ReadonlyArray<number> =>
  process.platform === "linux" ? childrenFromProc(pid) : childrenFromPs(pid)

/** Sends a signal. `false` if there is no such process. */
export const signal = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch (cause) {
    if (hasCode(cause, "ESRCH")) return false
    throw cause
  }
}

/** The parent is stopped first, so that it can't fork while its children are listed. */
export const stopTree = (pid: number): ReadonlyArray<number> => {
  if (!signal(pid, "SIGSTOP")) return []
  const tree = [pid, ...childrenOf(pid)]
  tree.forEach((one) => signal(one, "SIGSTOP"))
  return tree
}

export const continueTree = (pid: number): void => {
  for (const one of [...childrenOf(pid), pid]) signal(one, "SIGCONT")
}

/** Returns who was killed. */
export const killTree = (pid: number): ReadonlyArray<number> => {
  const tree = stopTree(pid)
  tree.forEach((one) => signal(one, "SIGKILL"))
  return tree
}

/** Whether a process runs no more. A zombie has given up its sockets and memory, which is what counts. */
export const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch (cause) {
    if (hasCode(cause, "ESRCH")) return true
    throw cause
  }
  return process.platform === "linux" && /^\d+ \(.*\) [ZX]/.test(readOr(`/proc/${pid}/stat`, "0 () X"))
}

const childrenFromProc = (pid: number): ReadonlyArray<number> =>
  readOr(`/proc/${pid}/task/${pid}/children`, "").split(" ").filter((text) => text !== "").map(Number)

const childrenFromPs = (pid: number): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child ?? 0)

/** A process may end between two looks at it. */
const readOr = (path: string, gone: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    if (hasCode(cause, "ENOENT") || hasCode(cause, "ESRCH")) return gone
    throw cause
  }
}

const hasCode = (cause: unknown, code: string): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === code

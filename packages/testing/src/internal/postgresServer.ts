/**
 * Initialises a data directory and runs the server on it.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { chown, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { EmbeddedPostgresError } from "./postgresError.ts"
import { type Home, spawnOptions } from "./postgresHome.ts"
import { isGone, killTree, signal } from "./processTree.ts"

type Settings = Readonly<Record<string, string | number | boolean>>

/** A server that accepts connections, or did. */
export interface Server {
  readonly process: ChildProcess
  readonly pid: number
  /** The last lines of its log. */
  readonly log: ReadonlyArray<string>
}

/**
 * It lives for a test: nothing is synced to disk, which a crash of the server alone does not need. Shared memory that
 * a killed server could leave behind lies in the data directory.
 */
const defaults: Settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: false,
  full_page_writes: false,
  shared_buffers: "16MB",
  dynamic_shared_memory_type: "mmap",
  log_min_messages: "warning"
}

export const initialise = Effect.fnUntraced(function*(
  home: Home,
  superuser: string,
  password: string
): Effect.fn.Return<void, EmbeddedPostgresError> {
  const passwordFile = join(home.dir, "password")
  yield* attempt("initdb", async () => {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    if (home.runAs.uid !== undefined) await chown(passwordFile, home.runAs.uid, home.runAs.gid)
  })
  yield* runInitdb(home, [
    `--pgdata=${home.data}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions"
  ])
  yield* attempt("initdb", () => rm(passwordFile))
})

/** Starts the server and waits until it accepts connections. */
export const start = (home: Home, port: number, settings: Settings): Effect.Effect<Server, EmbeddedPostgresError> =>
  Effect.callback((resume) => {
    const flags = Object.entries({ ...defaults, ...settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const child = spawn(home.postgres, ["-D", home.data, "-p", String(port), ...flags], {
      ...spawnOptions(home),
      stdio: ["ignore", "ignore", "pipe"]
    })
    const log: Array<string> = []
    const fail = (cause?: unknown): void =>
      resume(Effect.fail(new EmbeddedPostgresError({ step: "start", detail: log.slice(-5).join("; "), cause })))
    child.once("error", fail).once("close", () => fail())
    readLines(child, (line) => {
      log.push(line)
      if (log.length > 200) log.shift()
      if (/database system is ready to accept (read-only )?connections/.test(line)) {
        resume(Effect.succeed({ process: child, pid: child.pid ?? 0, log }))
      }
    })
    return stopStarting(child)
  })

/** Nobody waits for it any more. It gives its shared memory back, which it could not if it were killed. */
const stopStarting = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.pid === undefined || !signal(child.pid, "SIGQUIT")) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

export const isPortTaken = (error: EmbeddedPostgresError): boolean => error.detail.includes("could not bind")

/** Crashes the server, all of its processes at once, and gives back the shared memory that a killed server keeps. */
export const kill = Effect.fnUntraced(function*(home: Home, server: Server): Effect.fn.Return<void> {
  const lockFile = join(home.data, "postmaster.pid")
  const lines = yield* Effect.promise(() => readFile(lockFile, "utf8").then((text) => text.split("\n"), () => []))
  const tree = killTree(server.pid)
  yield* exited(server)
  yield* Effect.repeat(Effect.sync(() => tree.every(isGone)), {
    schedule: Schedule.spaced("5 millis"),
    until: (allGone: boolean) => allGone
  })
  yield* Effect.promise(() => rm(lockFile, { force: true }))
  const sharedMemory = lines[6]?.trim().split(/\s+/)[1]
  if (sharedMemory !== undefined) yield* removeSharedMemory(sharedMemory)
})

/** Ends the server in order: its clients are told that an administrator ended their sessions. */
export const shutDown = (server: Server): Effect.Effect<void> =>
  Effect.suspend(() => {
    signal(server.pid, "SIGINT")
    return exited(server)
  })

export const isRunning = ({ process: child }: Server): boolean => child.exitCode === null && child.signalCode === null

const exited = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!isRunning(server)) return resume(Effect.void)
    server.process.once("exit", () => resume(Effect.void))
  })

const removeSharedMemory = (id: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // It may be gone already, and a machine without ipcrm keeps 56 bytes until it restarts.
    spawn("ipcrm", ["-m", id], { stdio: "ignore" })
      .once("error", () => resume(Effect.void))
      .once("exit", () => resume(Effect.void))
  })

const runInitdb = (home: Home, args: ReadonlyArray<string>): Effect.Effect<void, EmbeddedPostgresError> =>
  Effect.callback((resume) => {
    const child = spawn(home.initdb, args, { ...spawnOptions(home), stdio: ["ignore", "ignore", "pipe"] })
    const log: Array<string> = []
    readLines(child, (line) => void log.push(line))
    const fail = (cause?: unknown): void =>
      resume(Effect.fail(new EmbeddedPostgresError({ step: "initdb", detail: log.slice(-5).join("; "), cause })))
    child.once("error", fail).once("close", (code) => code === 0 ? resume(Effect.void) : fail())
    // The helpers that initdb starts are in its process group.
    return Effect.sync(() => void (child.pid === undefined || signal(-child.pid, "SIGKILL")))
  })

const readLines = (child: ChildProcess, onLine: (line: string) => void): void => {
  let rest = ""
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    lines.forEach(onLine)
  })
}

const attempt = <A>(
  step: EmbeddedPostgresError["step"],
  f: () => Promise<A>
): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.tryPromise({ try: f, catch: (cause) => new EmbeddedPostgresError({ step, detail: String(cause), cause }) })

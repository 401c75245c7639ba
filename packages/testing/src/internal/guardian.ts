/**
 * A shell that removes what this process leaves behind: its script waits until its input ends, which it does when this
 * process closes it or ends, even by SIGKILL.
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"

/** Starts one, whose script gets the directory as `$1`. */
export const post = async (script: string, directory: string): Promise<ChildProcess> => {
  const guardian = spawn("/bin/sh", ["-c", script, "guardian", directory], {
    cwd: "/",
    detached: true,
    // For cat and rm, whatever a test makes of the path.
    env: { PATH: `${process.env["PATH"]}:/usr/local/bin:/usr/bin:/bin` },
    stdio: ["pipe", "ignore", "ignore"]
  })
  await new Promise((resolve, reject) => guardian.once("spawn", resolve).once("error", reject))
  return guardian
}

/** Lets it do its work, and waits until it is done. */
export const dismiss = (guardian: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (guardian.exitCode !== null || guardian.signalCode !== null) return resume(Effect.void)
    guardian.once("exit", () => resume(Effect.void))
    guardian.stdin?.end()
  })

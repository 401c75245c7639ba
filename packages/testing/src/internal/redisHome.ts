/**
 * Where throw-away Redis servers live: a temporary directory, and a guardian that kills the servers and removes the
 * directory when this process ends, however it ends.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Binary, find } from "./redisBinary.ts"
import { EmbeddedRedisError } from "./redisError.ts"

export interface Home {
  readonly dir: string
  readonly binary: Binary
}

export const make: Effect.Effect<Home, EmbeddedRedisError, Scope.Scope> = Effect.gen(function*() {
  if (process.platform === "win32") {
    return yield* new EmbeddedRedisError({ step: "prepare", detail: "Windows has no signals to stop a server with" })
  }
  const binary = yield* find
  const { dir } = yield* Effect.acquireRelease(makeDirectory, ({ guardian }) => dismiss(guardian))
  return { dir, binary }
})

/** The guardian is there before anything is that it would have to remove. */
const makeDirectory: Effect.Effect<
  { readonly dir: string; readonly guardian: ChildProcess },
  EmbeddedRedisError
> = Effect.tryPromise({
  try: async () => {
    const dir = await mkdtemp(join(tmpdir(), "effect-pools-redis-"))
    mkdirSync(join(dir, "pids"))
    const guardian = spawn("/bin/sh", ["-c", guard, "guardian", dir], {
      cwd: "/",
      detached: true,
      // For cat and rm, wherever the server itself may be.
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"]
    })
    await new Promise((resolve, reject) => guardian.once("spawn", resolve).once("error", reject))
    return { dir, guardian }
  },
  catch: (cause) => new EmbeddedRedisError({ step: "prepare", detail: String(cause), cause })
})

/**
 * Tells the guardian of a process. Done in the same turn as its start, so that no end of this process comes between.
 */
export const register = (home: Home, child: ChildProcess): void => {
  const { pid } = child
  if (pid === undefined) return
  const file = join(home.dir, "pids", String(pid))
  writeFileSync(file, "")
  child.once("exit", () => rmSync(file, { force: true }))
}

/** Waits until its input ends, which it does when this process closes it or ends, even by SIGKILL. */
const guard = `
cat > /dev/null
cd "$1/pids" && for pid in *; do kill -KILL "$pid"; done
cd /
tries=0
until rm -rf "$1" || [ $tries -gt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
`

const dismiss = (guardian: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (guardian.exitCode !== null || guardian.signalCode !== null) return resume(Effect.void)
    guardian.once("exit", () => resume(Effect.void))
    guardian.stdin?.end()
  })

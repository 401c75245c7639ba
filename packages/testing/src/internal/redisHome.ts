/**
 * Where throw-away Redis servers live: a temporary directory, and a guardian that kills the servers and removes the
 * directory when this process ends, however it ends.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Guardian from "./guardian.ts"
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
  const { dir } = yield* Effect.acquireRelease(makeDirectory, ({ guardian }) => Guardian.dismiss(guardian))
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
    const guardian = await Guardian.post(guard, dir)
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

const guard = `
cat > /dev/null
cd "$1/pids" && for pid in *; do kill -KILL "$pid"; done
cd /
tries=0
until rm -rf "$1" || [ $tries -gt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
`

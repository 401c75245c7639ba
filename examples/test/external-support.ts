import type { PoolConfig } from "@effect-pools/core"
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, Layer, Schedule, Stream } from "effect"
import { RateLimiter } from "effect/persistence"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

export { eventually } from "@effect-pools/testing/Eventually"

export const limits = Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory)

/** Limits short enough for a test to see them reached, long enough for a busy machine. */
export const quick: PoolConfig.PoolOptions = {
  maxConnections: 3,
  acquireTimeout: "5 seconds",
  retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 2 })),
  breaker: { minimumDials: 3, openDuration: "2 seconds" }
}

/** Runs an example, and gives what it printed. */
export const run = (name: string) =>
  Effect.gen(function*() {
    const program = yield* ChildProcess.make(
      process.execPath,
      ["--conditions=@effect-pools/source", `${name}/main.ts`],
      { cwd: fileURLToPath(new URL("..", import.meta.url)) }
    )
    const output = yield* Stream.mkString(Stream.decodeText(program.stdout))
    assert.strictEqual(yield* program.exitCode, 0)
    return output
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

/** Fails 100 calls and tells whether all of them met the open breaker. */
export const allMeetTheBreaker = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.all(Array.from({ length: 100 }, () => Effect.flip(call)), { concurrency: "unbounded" }),
    (errors) => errors.every(isBreakerOpen)
  )

export const isBreakerOpen = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "reason" in error &&
  (error.reason as { readonly _tag?: string })._tag === "BreakerOpen"

import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

const Summary = Schema.fromJsonString(Schema.Struct({
  leases: Schema.Int,
  failures: Schema.Int,
  opened: Schema.Int,
  closed: Schema.Int,
  peakConnections: Schema.Int,
  drainMillis: Schema.Finite
}))

const start = (duration: string) =>
  ChildProcess.make(
    process.execPath,
    ["--conditions=@effect-pools/source", "main/main.ts", "--duration", duration],
    { cwd: fileURLToPath(new URL("..", import.meta.url)) }
  )

const lines = (output: string) => output.trim().split("\n")

describe("the main job", () => {
  it.live("ends by itself with a summary that adds up", () =>
    Effect.gen(function*() {
      const job = yield* start("4s")
      const output = yield* Stream.mkString(Stream.decodeText(job.stdout))
      assert.strictEqual(yield* job.exitCode, 0)
      const summary = yield* Schema.decodeUnknownEffect(Summary)(lines(output).at(-1))
      assert.isAbove(summary.leases, 300)
      assert.strictEqual(summary.opened, summary.closed)
      assert.isAtMost(summary.peakConnections, 20)
      assert.isAbove(summary.peakConnections, 4)
      // The server was killed once and its sessions were terminated once: what ran at that moment fails, no more.
      assert.isAtMost(summary.failures, 20 + 20 + 20)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  // Counted from its first line: before it, the program is still being loaded and the signal is Node's to handle.
  it.live(
    "is ended by Ctrl-C at any moment, with its summary",
    () => Effect.forEach([0, 1500, 5000], endedAfter, { concurrency: 1, discard: true }),
    60_000
  )
})

const endedAfter = (millis: number) =>
  Effect.gen(function*() {
    const job = yield* start("60s")
    const hasBegun = yield* Deferred.make<void>()
    const output = yield* Effect.forkChild(Stream.mkString(Stream.tap(
      Stream.decodeText(job.stdout),
      () => Deferred.succeed(hasBegun, undefined)
    )))
    yield* Deferred.await(hasBegun)
    yield* Effect.sleep(millis)
    process.kill(job.pid, "SIGINT")
    assert.strictEqual(yield* job.exitCode, 0)
    const summary = yield* Schema.decodeUnknownEffect(Summary)(lines(yield* Fiber.join(output)).at(-1))
    assert.strictEqual(summary.opened, summary.closed)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

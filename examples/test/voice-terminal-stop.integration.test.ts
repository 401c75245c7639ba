import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import * as Net from "node:net"
import { start, summaryOf } from "./voice-terminal-support.ts"

describe("the voice terminal", () => {
  it.live("is ended by Ctrl-C in the middle with the same audit and report as by itself", () =>
    Effect.gen(function*() {
      const job = yield* start("--duration", "60s", "--load", "50")
      const isTalking = yield* Deferred.make<void>()
      const output = yield* Effect.forkChild(Stream.mkString(Stream.tap(
        Stream.decodeText(job.stdout),
        (text) => / {2}turns +[1-9]/.test(text) ? Deferred.succeed(isTalking, undefined) : Effect.void
      )))
      yield* Deferred.await(isTalking)
      process.kill(job.pid, "SIGINT")
      assert.strictEqual(yield* job.exitCode, 0)
      const text = yield* Fiber.join(output)
      assert.match(text, /-- stopping/)
      assert.match(text, /every turn that was served is stored, once/)
      assert.match(text, /measured over \d+ s of 50 people/)
      const summary = yield* summaryOf(text)
      assert.strictEqual(summary.opened, summary.closed)
      assert.isAbove(summary.turns, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 60_000)

  it.live(
    "refuses a duration of 0 s, and a port that is taken before it starts a server",
    () =>
      Effect.gen(function*() {
        const refused = (...args: ReadonlyArray<string>) =>
          Effect.gen(function*() {
            const job = yield* start(...args)
            const [out, err] = yield* Effect.all([
              Stream.mkString(Stream.decodeText(job.stdout)),
              Stream.mkString(Stream.decodeText(job.stderr))
            ], { concurrency: 2 })
            assert.notStrictEqual(yield* job.exitCode, 0)
            assert.notInclude(out, "starting the servers")
            return `${out}${err}`
          })
        for (const duration of ["0s", "0.0s"]) {
          assert.include(yield* refused("--duration", duration), "a number of seconds above 0, such as 10s")
        }
        const server = yield* Effect.acquireRelease(
          Effect.callback<Net.Server>((resume) => {
            const server = Net.createServer()
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        const { port } = server.address() as Net.AddressInfo
        assert.include(yield* refused("--port", String(port)), `can't listen at port ${port} (EADDRINUSE)`)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    30_000
  )

  // Counted from its first line: before it, the program is still being loaded and the signal is Node's to handle.
  it.live(
    "is ended by Ctrl-C at any moment, with its summary",
    () => Effect.forEach([0, 1500, 6000], endedAfter, { concurrency: 1, discard: true }),
    90_000
  )
})

const endedAfter = (millis: number) =>
  Effect.gen(function*() {
    const job = yield* start("--duration", "60s")
    const hasBegun = yield* Deferred.make<void>()
    const output = yield* Effect.forkChild(Stream.mkString(Stream.tap(
      Stream.decodeText(job.stdout),
      () => Deferred.succeed(hasBegun, undefined)
    )))
    yield* Deferred.await(hasBegun)
    yield* Effect.sleep(millis)
    process.kill(job.pid, "SIGINT")
    assert.strictEqual(yield* job.exitCode, 0)
    const summary = yield* summaryOf(yield* Fiber.join(output))
    assert.strictEqual(summary.opened, summary.closed)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

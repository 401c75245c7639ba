import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"

const Counted = {
  leases: Schema.Int,
  failures: Schema.Int,
  opened: Schema.Int,
  closed: Schema.Int,
  peakConnections: Schema.Int
}

const Summary = Schema.fromJsonString(Schema.Struct({
  ...Counted,
  turns: Schema.Int,
  lost: Schema.Int,
  drainMillis: Schema.Finite,
  pools: Schema.Record(
    Schema.String,
    Schema.Struct({
      ...Counted,
      acquireP95: Schema.Finite,
      validateP95: Schema.Finite,
      utilization: Schema.Int,
      lifetimeSeconds: Schema.Int,
      failedDials: Schema.Finite,
      avgQueryTime: Schema.Finite
    })
  )
}))

const limits: Readonly<Record<string, number>> = {
  database: 35,
  cache: 15,
  "voice-api": 8,
  realtime: 5
}

const start = (...args: ReadonlyArray<string>) =>
  ChildProcess.make(
    process.execPath,
    ["--conditions=@effect-pools/source", "voice-terminal/main.ts", ...args],
    { cwd: fileURLToPath(new URL("..", import.meta.url)) }
  )

const lines = (output: string) => output.trim().split("\n")

const summaryOf = (output: string) => Schema.decodeUnknownEffect(Summary)(lines(output).at(-1))

/** Runs it to its end, which must be a good one. */
const finished = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const job = yield* start(...args)
  const output = yield* Stream.mkString(Stream.decodeText(job.stdout))
  assert.strictEqual(yield* job.exitCode, 0, output)
  return { output, summary: yield* summaryOf(output) }
})

describe("the voice terminal", () => {
  it.live("ends by itself with a summary that adds up, of each pool and of all", () =>
    Effect.gen(function*() {
      const { output, summary } = yield* finished("--duration", "4s", "--load", "50")
      assert.match(output, /the dashboard is at http:\/\/127\.0\.0\.1:\d+\//)
      assert.match(output, /every turn that was served is stored, once/)
      assert.isAbove(summary.turns, 5)
      assert.deepInclude(summary, { failures: 0, lost: 0 })
      assert.deepStrictEqual(Object.keys(summary.pools).toSorted(), Object.keys(limits).toSorted())
      const pools = Object.entries(summary.pools)
      for (const [name, pool] of pools) {
        assert.strictEqual(pool.opened, pool.closed, name)
        assert.isAtMost(pool.peakConnections, limits[name] ?? 0, name)
        assert.isAbove(pool.leases, 0, name)
      }
      // The five objectives, one column each.
      assert.match(output, /acquire p95 +validate p95 +utilization +lifetime +failed dials/)
      for (const [name, { failedDials, lifetimeSeconds, utilization }] of pools) {
        assert.isAtLeast(utilization, 50, name)
        assert.isAtMost(utilization, 90, name)
        assert.isAtLeast(lifetimeSeconds, 4, `${name} ends before its time`)
        assert.strictEqual(failedDials, 0, name)
      }
      for (const total of ["leases", "failures", "opened", "closed", "peakConnections"] as const) {
        assert.strictEqual(summary[total], pools.reduce((sum, [, pool]) => sum + pool[total], 0), total)
      }
      assert.match(output, /its buttons .* ask for the token: [0-9a-f-]{36}/)
      assert.match(output, /measured over \d+ s of 50 people/)
      // What a miss means stands below the table: as many lines as there are marks in it.
      const table = output.slice(output.indexOf("acquire p95"), output.indexOf("A lifetime is met"))
      const marks = table.split("\n").filter((line) => !line.startsWith("!")).join("\n").match(/ !/g)?.length ?? 0
      assert.strictEqual(table.match(/^! /gm)?.length ?? 0, marks)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live(
    "loses nothing while each server is killed and revived in turn, and every pool recovers by itself",
    () =>
      Effect.gen(function*() {
        const { output, summary } = yield* finished("--duration", "1s", "--load", "50", "--chaos")
        for (const name of ["primary", "replica", "cache", "voice-api", "realtime"]) {
          assert.match(output, new RegExp(`-- ${name}: the server is back, and \\d+ ms later so is the pool`))
        }
        assert.strictEqual(summary.lost, 0, output)
        assert.isAbove(summary.failures, 0)
        // Normal work comes first, and the report says what it is of.
        const killed = output.indexOf("the server is killed")
        assert.match(output.slice(0, killed), / 4 s  turns +\d+/)
        assert.match(output, /measured over \d+ s of 50 people, .* with the time in which servers were down/)
        assert.match(output, /^! \w+.*the time in which servers were down is included$/m)
        assert.strictEqual(summary.opened, summary.closed)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    120_000
  )

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

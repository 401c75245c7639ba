import { PoolError } from "@effect-pools/core"
import { ConnectionManager, Monitoring, MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as MemoPool from "../own-kind/MemoPool.ts"
import * as Server from "../own-kind/server.ts"
import { eventually, run } from "./external-support.ts"

class Memos extends MemoPool.Service<Memos>()("app/Memos") {}

const served = (options: Partial<MemoPool.MemoOptions> = {}) =>
  Layer.unwrap(Effect.map(Server.start, ({ port }) => Memos.layer({ host: "127.0.0.1", port, ...options })))

describe("a kind of one's own", () => {
  it.live("has its members on the class and on the pool", () =>
    Effect.gen(function*() {
      const memos = yield* Memos
      yield* memos.put("a", "one two")
      assert.strictEqual(yield* Memos.get("a"), "one two")
      const error = yield* Effect.flip(memos.get("b"))
      assert.strictEqual(error.message, "no such memo")
    }).pipe(Effect.provide(served())))

  it.live("gives the next borrower a clean connection, and replaces one whose answer nobody waited for", () =>
    Effect.gen(function*() {
      yield* Memos.put("a", "main's")
      yield* Memos.withConnection((session) => session.ask("USE attic"))
      assert.strictEqual(yield* Memos.get("a"), "main's")
      const asked = yield* Effect.forkChild(Memos.get("a"), { startImmediately: true })
      yield* Fiber.interrupt(asked)
      assert.strictEqual(yield* Memos.get("a"), "main's")
      assert.strictEqual((yield* Memos.stats).counts.opened, 2)
    }).pipe(Effect.provide(served({ maxConnections: 1 }))))

  it.live("replaces connections that the server cut", () =>
    Effect.gen(function*() {
      const server = yield* Server.start
      yield* Effect.gen(function*() {
        yield* Memos.put("a", "kept")
        server.cut()
        yield* eventually("the cut is seen", Effect.map(Memos.stats, ({ counts }) => counts.closed === 1))
        assert.strictEqual(yield* Memos.get("a"), "kept")
      }).pipe(Effect.provide(Memos.layer({ host: "127.0.0.1", port: server.port })))
    }).pipe(Effect.scoped))

  it.live("proves a connection before it is lent", () =>
    Effect.gen(function*() {
      yield* Memos.put("a", "1")
      yield* Memos.get("a")
      assert.isAtLeast((yield* Memos.stats).counts.validated, 1)
    }).pipe(Effect.provide(served({ maxConnections: 1, freshnessWindow: 0 }))))

  it.live("takes its options from the configuration, beside plain values, and refuses bad ones by name", () =>
    Effect.gen(function*() {
      const config = Memos.layerConfig({ port: Config.succeed(1), host: "127.0.0.1", startup: "lazy" })
      assert.strictEqual(yield* Memos.useSync(({ config }) => config.kind).pipe(Effect.provide(config)), "memo")
      const exit = yield* Effect.exit(Layer.build(Memos.layer({ port: 0 })))
      assert(Exit.isFailure(exit))
      const error = Cause.squash(exit.cause)
      assert(error instanceof PoolError.PoolError && error.reason._tag === "InvalidOption")
      assert.strictEqual(error.reason.option, "port")
    }).pipe(Effect.scoped))

  it.effect("has a test double, which takes the pool's options", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Memos.get("a"), "answer to GET a")
      assert.strictEqual((yield* Memos).config.maxConnections, 1)
    }).pipe(Effect.provide(Memos.layerTest((request) => `answer to ${request}`, { maxConnections: 1 }))))

  it.live("the program of the example tells what it did", () =>
    Effect.gen(function*() {
      const output = yield* run("own-kind")
      assert.include(output, "greeting: hello\ngreeting: hello\nthe manager: app/Memos is healthy\n")
      assert.match(output, /memo_pool_acquire_total\{pool="app\/Memos"\} \d/)
    }))
})

describe("in the manager", () => {
  const managed = Layer.provideMerge(ConnectionManager.layer({ pools: [Memos] }), served())

  it.live("it is a pool like any other, with metrics under its own name", () =>
    Effect.gen(function*() {
      yield* Memos.put("a", "1")
      const { pools } = yield* ConnectionManager.stats
      assert.deepInclude(pools[0], { name: "app/Memos", idle: 1 })
      const metrics = yield* PrometheusMetrics.format()
      assert.include(metrics, "memo_pool_connections_idle{pool=\"app/Memos\"} 1")
      assert.notInclude(metrics, "db_client_connection")
    }).pipe(Effect.provide(managed)))

  it.live("its routes tell of it in the word of its kind", () =>
    Effect.gen(function*() {
      const { url } = yield* Monitoring.Address
      const body = yield* Effect.promise(() => fetch(new URL("pools", url)).then((response) => response.json()))
      const { pools } = Schema.decodeUnknownSync(MonitoringApi.Pools)(body)
      assert.deepStrictEqual(pools.map(({ kind, name }) => [name, kind]), [["app/Memos", "memo"]])
    }).pipe(Effect.provide(Layer.provideMerge(Monitoring.layer({ port: 0 }), managed))))
})

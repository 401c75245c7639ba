import { NodeHttpServer } from "@effect/platform-node"
import { PoolError, Traffic } from "@effect-pools/core"
import { PerRequest } from "@effect-pools/manager"
import type { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Data, Deferred, Effect, Exit, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware } from "effect/http-api"
import { createServer } from "node:http"
import { Db, isolated, pools } from "./support.ts"

class Sql extends Context.Service<Sql, FakeConnector.FakeConnection>()("test/Sql") {}

class Lost extends Data.TaggedError("Lost")<{}> {}

const server = NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })

/** Serves routes over the pool, and keeps both in the context. */
const serving = <E, R extends Db | HttpRouter.HttpRouter | HttpRouter.Request<"Error", unknown>>(
  routes: Layer.Layer<never, E, R>
) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(server),
    Layer.provideMerge(pools().layer),
    Layer.provideMerge(isolated)
  )

const ask = (path: string, signal?: AbortSignal) =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    return yield* Effect.promise(async () => {
      const response = await fetch(
        `${HttpServer.formatAddress(address)}${path}`,
        signal === undefined ? {} : { signal }
      )
      return { status: response.status, body: await response.text(), retryAfter: response.headers.get("retry-after") }
    })
  })

/** Asks with headers. */
const askWith = (path: string, headers: Record<string, string>) =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    return yield* Effect.promise(() =>
      fetch(`${HttpServer.formatAddress(address)}${path}`, { headers }).then((response) => response.text())
    )
  })

const used = Effect.map(Db.stats, ({ used }) => used)

describe("a connection per request", () => {
  const route = <E>(path: `/${string}`, handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, Sql>) =>
    HttpRouter.add("GET", path, handler)

  const withSql = <E, R>(routes: Layer.Layer<never, E, R>) =>
    Layer.provide(routes, PerRequest.connection(Db, Sql).layer)

  it.live("is the handler's, and back before the answer is sent", () =>
    Effect.gen(function*() {
      const answer = yield* ask("/sql")
      assert.deepStrictEqual([answer.status, answer.body], [200, "1 false"])
      assert.strictEqual(yield* used, 0)
      assert.strictEqual((yield* ask("/sql")).body, "1 false")
      assert.strictEqual((yield* Db.stats).counts.ended.success, 2)
    }).pipe(Effect.provide(serving(withSql(route(
      "/sql",
      Effect.gen(function*() {
        const { id, isBusy } = yield* Sql
        return HttpServerResponse.text(`${id} ${isBusy}`)
      })
    ))))))

  it.live("is given back when the handler fails, dies or answers with an error", () =>
    Effect.gen(function*() {
      const statuses = yield* Effect.forEach(["/fails", "/dies", "/refuses"], (path) =>
        Effect.map(ask(path), ({ status }) => status))
      assert.deepStrictEqual(statuses, [500, 500, 422])
      const { counts, used } = yield* Db.stats
      assert.deepStrictEqual([used, counts.ended], [0, { success: 1, failure: 1, defect: 1, interrupt: 0 }])
    }).pipe(Effect.provide(serving(withSql(Layer.mergeAll(
      route("/fails", Effect.andThen(Sql, Effect.fail(new Lost()))),
      route("/dies", Effect.andThen(Sql, Effect.die("a bug"))),
      route("/refuses", Effect.as(Sql, HttpServerResponse.empty({ status: 422 })))
    ))))))

  it.live("is given back when the client leaves", () => {
    const entered = Deferred.makeUnsafe<void>()
    return Effect.gen(function*() {
      const leave = new AbortController()
      yield* Effect.forkScoped(Effect.exit(ask("/slow", leave.signal)))
      yield* Deferred.await(entered)
      assert.strictEqual(yield* used, 1)
      leave.abort()
      yield* Effect.repeat(Effect.delay(used, "5 millis"), { until: (used) => used === 0 })
      assert.strictEqual((yield* Db.stats).counts.ended.interrupt, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide(serving(withSql(
        route("/slow", Effect.andThen(Sql, Effect.andThen(Deferred.succeed(entered, undefined), Effect.never)))
      )))
    )
  })

  it.live("that can't be had is answered with 503", () =>
    Effect.gen(function*() {
      yield* Db.pause
      const answer = yield* ask("/sql")
      assert.deepStrictEqual([answer.status, answer.retryAfter], [503, "1"])
    }).pipe(Effect.provide(serving(withSql(route("/sql", Effect.as(Sql, HttpServerResponse.empty())))))))

  it.live("is no excuse for a pool's error of the handler's own", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* ask("/own")).status, 500)
    }).pipe(Effect.provide(serving(withSql(route(
      "/own",
      Effect.andThen(Sql, Effect.fail(new PoolError.PoolError({ pool: "other", reason: new PoolError.PoolPaused() })))
    ))))))
})

describe("a transaction per request", () => {
  const log: Array<string> = []

  /** Overloaded as those of the pools are. */
  const transaction: {
    <A, E, R>(
      body: (sql: FakeConnector.FakeConnection) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | Lost | PoolError.PoolError, R | Db>
    <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E | Lost | PoolError.PoolError, R | Db>
  } = <A, E, R>(body: Effect.Effect<A, E, R> | ((sql: FakeConnector.FakeConnection) => Effect.Effect<A, E, R>)) =>
    Db.withConnection((sql) =>
      Effect.onExit(
        Effect.isEffect(body) ? body : body(sql),
        (exit) => Effect.sync(() => log.push(Exit.isSuccess(exit) ? "COMMIT" : "ROLLBACK"))
      )
    )

  const inTransaction = <E, R>(routes: Layer.Layer<never, E, R>) =>
    Layer.provide(routes, PerRequest.transaction((body) => transaction(body), Sql).layer)

  const answering = (path: `/${string}`, status: number) =>
    HttpRouter.add("GET", path, Effect.map(Sql, ({ id }) => HttpServerResponse.text(`by ${id}`, { status })))

  const routes = inTransaction(Layer.mergeAll(
    answering("/ok", 200),
    answering("/moved", 303),
    answering("/refused", 409),
    answering("/broken", 500),
    HttpRouter.add("GET", "/dies", Effect.andThen(Sql, Effect.die("a bug"))),
    HttpRouter.add("GET", "/slow", Effect.andThen(Sql, Effect.never)),
    HttpRouter.add(
      "GET",
      "/scoped",
      Effect.as(Effect.addFinalizer(() => Effect.sync(() => log.push("released"))), HttpServerResponse.empty())
    )
  ))

  it.live("leaves a handler the scope of its request", () =>
    Effect.gen(function*() {
      log.length = 0
      yield* ask("/scoped")
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => log.length === 2 })
      assert.deepStrictEqual(log, ["COMMIT", "released"])
    }).pipe(Effect.provide(serving(routes))))

  it.live("is committed when the handler succeeds, and rolled back when it does not", () =>
    Effect.gen(function*() {
      log.length = 0
      const outcomes: Array<unknown> = []
      for (const path of ["/ok", "/moved", "/refused", "/broken", "/dies"]) {
        const { body, status } = yield* ask(path)
        outcomes.push([status, body, log.at(-1)])
      }
      assert.deepStrictEqual(outcomes, [
        [200, "by 1", "COMMIT"],
        [303, "by 1", "COMMIT"],
        [409, "by 1", "ROLLBACK"],
        [500, "by 1", "ROLLBACK"],
        [500, "", "ROLLBACK"]
      ])
      assert.strictEqual(yield* used, 0)
    }).pipe(Effect.provide(serving(routes))))

  it.live("is rolled back when the client leaves", () =>
    Effect.gen(function*() {
      log.length = 0
      const leave = new AbortController()
      yield* Effect.forkScoped(Effect.exit(ask("/slow", leave.signal)))
      yield* Effect.repeat(Effect.delay(used, "5 millis"), { until: (used) => used === 1 })
      leave.abort()
      yield* Effect.repeat(Effect.delay(used, "5 millis"), { until: (used) => used === 0 })
      assert.deepStrictEqual(log, ["ROLLBACK"])
    }).pipe(Effect.scoped, Effect.provide(serving(routes))))

  it.live("that can't begin is answered with 503", () =>
    Effect.gen(function*() {
      yield* Db.pause
      assert.strictEqual((yield* ask("/ok")).status, 503)
    }).pipe(Effect.provide(serving(routes))))
})

describe("with HttpApi", () => {
  class WithSql extends HttpApiMiddleware.Service<WithSql, { provides: Sql }>()("test/WithSql") {}

  class Users extends HttpApiGroup.make("users").add(
    HttpApiEndpoint.get("count", "/count").middleware(WithSql)
  ) {}

  class Api extends HttpApi.make("api").add(Users) {}

  const handlers = HttpApiBuilder.group(
    Api,
    "users",
    (handlers) => handlers.handleRaw("count", () => Effect.map(Sql, ({ id }) => HttpServerResponse.text(`by ${id}`)))
  )

  const api = HttpApiBuilder.layer(Api).pipe(
    Layer.provide(handlers),
    Layer.provide(Layer.effect(WithSql, Effect.map(Db, (pool) => PerRequest.withConnection(pool, Sql))))
  )

  it.live("the middleware gives the handlers a connection", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* ask("/count")).body, "by 1")
      assert.strictEqual(yield* used, 0)
      yield* Db.pause
      assert.strictEqual((yield* ask("/count")).status, 503)
    }).pipe(Effect.provide(
      HttpRouter.serve(api, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(server),
        Layer.provideMerge(pools().layer),
        Layer.provideMerge(isolated)
      )
    )))
})

describe("the traffic of a request", () => {
  const told = (path: `/${string}`) =>
    HttpRouter.add(
      "GET",
      path,
      Effect.gen(function*() {
        const { deadlineAt, fairKey, priority } = yield* Traffic.Traffic
        const left = Math.round((deadlineAt - (yield* Clock.currentTimeMillis)) / 1000)
        return HttpServerResponse.text(`${priority} ${fairKey} ${left}`)
      })
    )
  const withPriority = (priority: "high" | "low") =>
    HttpRouter.add("GET", `/${priority}`, Effect.as(Sql, HttpServerResponse.empty({ status: 200 }))).pipe(
      Layer.provide(PerRequest.connection(Db, Sql).layer),
      Layer.provide(PerRequest.traffic({ priority }).layer)
    )
  const headers = { priority: "x-priority", fairKey: "X-Tenant", deadline: "x-deadline-ms" }

  it.live("is said by the route, or by the headers that it names, and nothing by others", () =>
    Effect.gen(function*() {
      const all = { "x-priority": "Low", "x-tenant": "t1", "x-deadline-ms": "5000" }
      assert.strictEqual(yield* askWith("/fixed", all), "high undefined 30")
      assert.strictEqual(yield* askWith("/headers", all), "low t1 5")
      assert.strictEqual(yield* askWith("/none", all), "normal undefined Infinity")
    }).pipe(Effect.provide(serving(Layer.mergeAll(
      told("/fixed").pipe(Layer.provide(PerRequest.traffic({ priority: "high", deadline: "30 seconds" }).layer)),
      told("/headers").pipe(Layer.provide(PerRequest.traffic(PerRequest.trafficHeaders(headers)).layer)),
      told("/none")
    )))))

  it.live("is nothing where the headers make no sense", () =>
    Effect.gen(function*() {
      const bad = { "x-priority": "urgent", "x-tenant": "", "x-deadline-ms": "-1" }
      assert.strictEqual(yield* askWith("/headers", bad), "normal undefined Infinity")
      assert.strictEqual(yield* askWith("/headers", { "x-deadline-ms": "1e400" }), "normal undefined Infinity")
    }).pipe(Effect.provide(serving(
      told("/headers").pipe(Layer.provide(PerRequest.traffic(PerRequest.trafficHeaders(headers)).layer))
    ))))

  it.live("holds for the connection of the request too, and its refusal says when to come again", () =>
    Effect.gen(function*() {
      yield* Db.degrade(4)
      assert.strictEqual((yield* ask("/high")).status, 200)
      const statuses = yield* Effect.forEach(Array.from({ length: 20 }), () => ask("/low"))
      const refused = statuses.filter(({ status }) => status === 503)
      assert.isAbove(refused.length, 10)
      assert.deepStrictEqual(Array.from(new Set(refused.map(({ retryAfter }) => retryAfter))), ["1"])
    }).pipe(Effect.provide(serving(Layer.mergeAll(withPriority("high"), withPriority("low"))))))
})

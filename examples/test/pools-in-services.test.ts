/** The ordinary patterns of Effect around a service, on every kind of pool. */
import { BalancedPool, ConnectionPool, ResourcePool } from "@effect-pools/core"
import { HttpPool, HttpPools } from "@effect-pools/http"
import { ConnectionManager } from "@effect-pools/manager"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool, WebSocketScript } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"

interface Session {
  readonly ask: (question: string) => Effect.Effect<string>
}

class Db extends PostgresPool.Service<Db>()("app/Db") {}
class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
class Api extends HttpPool.Service<Api>()("app/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}
class Oracle extends ResourcePool.Service<Oracle, Session>()("app/Oracle") {}
class Backend extends ConnectionPool.Service<Backend, Session>()("app/Backend") {}
class Oracles extends BalancedPool.Service<Oracles, Session>()("app/Oracles") {}

const session = (n: number): Session => ({ ask: (question) => Effect.succeed(`${question} ${n}`) })
const sessions = (n: number) => Effect.succeed(session(n))

const tests = {
  db: Db.layerTest(() => [{ id: 1 }]),
  cache: Cache.layerTest(() => "cached"),
  api: Api.layerTest(() => new Response("hi")),
  chat: Chat.layerTest(WebSocketScript.make(() => ["pong"])),
  oracle: Oracle.layerTest({ acquire: sessions(1) }),
  backend: Backend.layerTest(sessions),
  oracles: Oracles.layerTest((_, upstream) => sessions(upstream), { upstreams: [{}, {}], strategy: "roundRobin" })
}

/** Asks each instance for what it gives. */
const everything = Effect.gen(function*() {
  const [db, cache, api, chat] = [yield* Db, yield* Cache, yield* Api, yield* Chat]
  const [oracle, backend, oracles] = [yield* Oracle, yield* Backend, yield* Oracles]
  const ask = (session: Session) => session.ask("who")
  return {
    query: yield* db.query`SELECT 1`,
    transaction: yield* db.transaction((sql) => sql`SELECT 1`),
    stream: yield* Stream.runCollect(db.stream((sql) => sql`SELECT 1`.stream)),
    notify: yield* db.notify("channel", "text"),
    get: yield* cache.get("k"),
    pipeline: (yield* cache.pipeline((redis) => [redis.get("a"), redis.get("b")])).length,
    page: yield* Effect.flatMap(api.get("/"), (response) => response.text),
    posted: yield* Effect.flatMap(api.post("/"), (response) => response.text),
    send: yield* chat.send("ping"),
    request: yield* chat.request("ping"),
    oracle: yield* oracle.withConnection(ask),
    backend: yield* backend.withShared(ask),
    scoped: yield* Effect.scoped(Effect.flatMap(backend.acquire, ask)),
    oracles: yield* Effect.all([oracles.withConnection(ask), oracles.withConnection(ask)]),
    upstreams: (yield* oracles.upstreams).length
  }
})

const answers = {
  query: [{ id: 1 }],
  transaction: [{ id: 1 }],
  stream: [{ id: 1 }],
  notify: undefined,
  get: "cached",
  pipeline: 2,
  page: "hi",
  posted: "hi",
  send: undefined,
  request: "pong",
  oracle: "who 1",
  backend: "who 1",
  scoped: "who 1",
  oracles: ["who 1", "who 2"],
  upstreams: 2
}

const all = Layer.mergeAll(
  tests.db,
  tests.cache,
  tests.api,
  tests.chat,
  tests.oracle,
  tests.backend,
  tests.oracles
)

/** The way to decorate a service in Effect: the same members, one of them wrapped. */
const counting = <Self, Pool extends ConnectionPool.ConnectionPool<any>>(
  key: Context.Key<Self, Pool>,
  counts: Map<string, number>
) =>
  Layer.effect(
    key,
    Effect.map(key, (pool): Pool => ({
      ...pool,
      withConnection: (f: (connection: any) => Effect.Effect<any>, options?: ConnectionPool.LeaseOptions) => {
        counts.set(pool.name, (counts.get(pool.name) ?? 0) + 1)
        return pool.withConnection(f, options)
      }
    }))
  )

describe("a pool in a service", () => {
  it.effect("an instance has the members of its class, and they need nothing more", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual<unknown>(yield* everything, answers)
    }).pipe(Effect.provide(all)))

  it.effect("a repository is made of instances, and its methods have no requirement left", () => {
    class Users extends Context.Service<Users, {
      readonly byId: (id: number) => Effect.Effect<unknown, unknown>
    }>()("app/Users") {
      static readonly layer = Layer.effect(
        this,
        Effect.gen(function*() {
          const db = yield* Db
          const cache = yield* Cache
          return {
            byId: (id) =>
              Effect.andThen(cache.get(`user:${id}`), db.query<{ id: number }>`SELECT * FROM u WHERE id = ${id}`)
          }
        })
      )
    }
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Users.use((users) => users.byId(1)), [{ id: 1 }])
    }).pipe(Effect.provide(Layer.provide(Users.layer, [tests.db, tests.cache])))
  })

  it.effect("a decorated pool is what the class and the instance use, whatever the member", () => {
    const counts = new Map<string, number>()
    const decorated = Layer.mergeAll(
      counting(Db, counts),
      counting(Cache, counts),
      counting(Api, counts),
      counting(Chat, counts),
      counting(Oracle, counts),
      counting(Backend, counts),
      counting(Oracles, counts)
    ).pipe(Layer.provide(all))
    return Effect.gen(function*() {
      assert.deepStrictEqual<unknown>(yield* everything, answers)
      assert.deepStrictEqual(Object.fromEntries(counts), {
        "app/Db": 3,
        "app/Cache": 2,
        "app/Api": 2,
        "app/Chat": 2,
        "app/Oracle": 1,
        "app/Backend": 1,
        "app/Oracles": 2
      })
      counts.clear()
      yield* Db.query`SELECT 1`
      yield* Db.transaction(Db.query`SELECT 1`)
      yield* Cache.get("k")
      yield* Api.get("/")
      yield* Chat.request("ping")
      yield* Oracles.withShared((session) => session.ask("who"))
      // A query in a transaction asks for a connection too, and gets the transaction's.
      assert.deepStrictEqual(Object.fromEntries(counts), {
        "app/Db": 3,
        "app/Cache": 1,
        "app/Api": 1,
        "app/Chat": 1,
        "app/Oracles": 1
      })
    }).pipe(Effect.provide(decorated))
  })

  it.effect.each(
    [
      ["a copy of a copy", (pool, lend) => ({ ...pool, withConnection: lend })],
      ["an object over it", (pool, lend) => Object.create(pool, { withConnection: { value: lend } })],
      [
        "a proxy",
        (pool, lend) => new Proxy(pool, { get: (of, name) => name === "withConnection" ? lend : Reflect.get(of, name) })
      ]
    ] as ReadonlyArray<[string, (pool: object, lend: unknown) => RedisPool.RedisPool & PostgresPool.PostgresPool]>
  )("%s that lends in its own way does so for the class and for the instance", ([, decorate]) => {
    let leases = 0
    const over = <Self>(key: Context.Key<Self, ConnectionPool.ConnectionPool<any>>) =>
      Layer.effect(
        key as Context.Key<Self, RedisPool.RedisPool & PostgresPool.PostgresPool>,
        Effect.map(key, (pool) =>
          decorate(
            pool,
            (f: (connection: unknown) => Effect.Effect<unknown>, options?: ConnectionPool.LeaseOptions) => {
              leases++
              return pool.withConnection(f, options)
            }
          ))
      )
    const layers = Layer.mergeAll(over(Db), over(Cache)).pipe(Layer.provide([tests.db, tests.cache]))
    return Effect.gen(function*() {
      yield* Effect.all([Db.query`SELECT 1`, Cache.get("k"), Db.use((db) => db.query`SELECT 1`)])
      yield* Effect.all([Effect.flatMap(Cache, (cache) => cache.get("k")), Db.transaction(Effect.void)])
      assert.strictEqual(leases, 5)
    }).pipe(Effect.provide(layers))
  })

  it.effect("a wrapped member is what the class uses", () => {
    const seen: Array<string> = []
    const wrapped = Layer.effect(
      Cache,
      Effect.map(Cache, (cache): RedisPool.RedisPool => ({
        ...cache,
        get: (key) => {
          seen.push(String(key))
          return cache.get(key)
        }
      }))
    ).pipe(Layer.provide(tests.cache))
    return Effect.gen(function*() {
      yield* Cache.get("one")
      yield* Cache.use((cache) => cache.get("two"))
      assert.deepStrictEqual(seen, ["one", "two"])
    }).pipe(Effect.provide(wrapped))
  })

  it.effect("a member that was taken from its pool works on that pool", () =>
    Effect.gen(function*() {
      const { query, withShared } = yield* Db
      const { get } = yield* Cache
      assert.deepStrictEqual(yield* query`SELECT 1`, [{ id: 1 }])
      assert.deepStrictEqual(yield* withShared((sql) => sql`SELECT 1`), [{ id: 1 }])
      assert.strictEqual(yield* { lookUp: get }.lookUp("k"), "cached")
    }).pipe(Effect.provide([tests.db, tests.cache])))

  it.effect("of a mock's members those that are missing lend by its withConnection", () => {
    const config = {} as ConnectionPool.ConnectionPool<never>["config"]
    const client = HttpClient.make((request) =>
      Effect.succeed(HttpClientResponse.fromWeb(request, new Response("mocked")))
    )
    const mocks = Layer.mergeAll(
      Layer.mock(Db)({
        name: "db",
        config,
        withConnection: (f) => f(Object.assign(() => Effect.succeed([{ id: 2 }]), {}) as never)
      }),
      Layer.mock(Cache)({
        name: "cache",
        config,
        withConnection: (f) => f({ get: () => Effect.succeed("mocked") } as never)
      }),
      Layer.mock(Api)({ name: "api", config, withConnection: (f) => f(client as never) }),
      Layer.mock(Chat)({
        name: "chat",
        config,
        withConnection: (f) => f({ request: () => Effect.succeed("mocked") } as never)
      })
    )
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Db.query`SELECT 1`, [{ id: 2 }])
      assert.strictEqual(yield* Cache.get("k"), "mocked")
      assert.strictEqual(yield* Effect.flatMap(Api.get("http://a/"), (response) => response.text), "mocked")
      assert.strictEqual(yield* Chat.request("x"), "mocked")
      const exit = yield* Effect.exit(Db.stats)
      assert.match(String(exit), /Unimplemented method "stats"/)
    }).pipe(Effect.provide(mocks))
  })

  it.effect("a mock answers by the members it has", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Cache.get("k"), "mine")
    }).pipe(Effect.provide(
      Layer.mock(Cache)({
        name: "cache",
        config: {} as RedisPool.RedisPool["config"],
        get: () => Effect.succeed("mine")
      })
    )))

  it.effect("a balanced pool takes the place of a pool of its kind", () => {
    const upstream = (name: string) =>
      Effect.map(Layer.build(Layer.fresh(Db.layerTest(() => [{ name }], { name }))), (context) => ({
        pool: Context.get(context, Db) as ConnectionPool.ConnectionPool<any>
      }))
    const balanced = Db.layerFrom(
      Effect.flatMap(
        Effect.all([upstream("a"), upstream("b")]),
        (upstreams) => BalancedPool.make(upstreams, { strategy: "roundRobin" })
      )
    )
    return Effect.gen(function*() {
      const db = yield* Db
      const [first] = yield* db.query`SELECT 1`
      const [second] = yield* Db.transaction((sql) => sql`SELECT 1`)
      assert.deepStrictEqual([first, second], [{ name: "a" }, { name: "b" }])
    }).pipe(Effect.provide(balanced))
  })

  it.effect("a manager takes decorated pools", () => {
    const counts = new Map<string, number>()
    const decorated = counting(Db, counts).pipe(Layer.provide(tests.db))
    const managed = ConnectionManager.layer({ pools: [Db] }).pipe(Layer.provideMerge(decorated))
    return Effect.gen(function*() {
      const db = yield* ConnectionManager.get(Db)
      assert.deepStrictEqual(yield* db.query`SELECT 1`, [{ id: 1 }])
      assert.strictEqual(counts.get("app/Db"), 1)
    }).pipe(Effect.provide(managed))
  })

  it.effect("every layerTest takes the pool's options", () => {
    const options = { maxConnections: 1, name: "mine" }
    const layers = Layer.mergeAll(
      Db.layerTest(() => [], options),
      Cache.layerTest(() => null, options),
      Api.layerTest(() => new Response(""), options),
      Chat.layerTest(() => [], options),
      Oracle.layerTest({ acquire: sessions(1), ...options }),
      Backend.layerTest(sessions, options),
      Oracles.layerTest(sessions, { name: "mine", upstreams: [{ maxConnections: 1 }] })
    )
    return Effect.gen(function*() {
      for (
        const pool of [yield* Db, yield* Cache, yield* Api, yield* Chat, yield* Oracle, yield* Backend, yield* Oracles]
      ) {
        const { maxConnections, minConnections, name } = pool.config
        assert.deepStrictEqual({ maxConnections, minConnections, name }, {
          maxConnections: 1,
          minConnections: 0,
          name: "mine"
        })
      }
    }).pipe(Effect.provide(layers))
  })

  it.effect("a layerTest has the options of its kind too, and dies of a bad one", () =>
    Effect.gen(function*() {
      const rows = yield* Db.query`SELECT 1`.pipe(
        Effect.provide(
          Db.layerTest(() => [{ user_name: "Ada" }], { transformResultNames: (name) => name.toUpperCase() })
        )
      )
      assert.deepStrictEqual(rows, [{ USER_NAME: "Ada" }])
      const page = yield* Effect.flatMap(Api.get("/voices"), (response) => response.text).pipe(
        Effect.provide(Api.layerTest((request) => new Response(request.url), { basePath: "/v1" }))
      )
      assert.strictEqual(page, "http://scripted/v1/voices")
      const exit = yield* Effect.exit(Layer.build(Cache.layerTest(() => null, { maxConnections: 0 })))
      assert.match(String(exit), /maxConnections/)
    }).pipe(Effect.scoped))

  it.effect("every layerConfig takes values and configs side by side", () => {
    const config = ConfigProvider.layer(
      ConfigProvider.fromEnvRecord({ MAX: "3", URL: "ws://localhost", ORIGIN: "http://localhost" })
    )
    const maxConnections = Config.Int("MAX")
    const [startup, minConnections] = ["lazy", 0] as const
    const breaker = { failureRate: Config.succeed(0.25), minimumDials: 7 }
    const common = { maxConnections, minConnections, startup, breaker, name: "mine" }
    const layers = Layer.mergeAll(
      Db.layerConfig({ ...common, host: "localhost", username: "app" }),
      Cache.layerConfig({ ...common, host: Config.succeed("localhost") }),
      Api.layerConfig({ ...common, origin: Config.String("ORIGIN"), headers: { accept: "text/plain" } }),
      Chat.layerConfig({ ...common, url: Config.Redacted("URL") }),
      Oracle.layerConfig({ ...common, acquire: sessions(1) }),
      Backend.layerConfig({ connect: () => sessions(1) }, common)
    ).pipe(Layer.provide(config))
    return Effect.gen(function*() {
      for (const { config } of [yield* Db, yield* Cache, yield* Api, yield* Chat, yield* Oracle, yield* Backend]) {
        assert.deepInclude(config, { maxConnections: 3, minConnections: 0, startup: "lazy", name: "mine" })
        assert.deepInclude(config.breaker, { failureRate: 0.25, minimumDials: 7, openDuration: 5000 })
      }
    }).pipe(Effect.provide(layers))
  })

  it.effect("pools by origin have the members of an HTTP pool", () =>
    Effect.gen(function*() {
      const pools = yield* HttpPools.make()
      const api = yield* pools.pool("http://localhost:1")
      assert.isFunction(api.get)
      const error = yield* Effect.flip(api.get("http://elsewhere/"))
      assert.strictEqual(error._tag, "HttpClientError")
    }).pipe(Effect.scoped))
})

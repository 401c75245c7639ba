/** The compiler's knowledge of pools of all kinds. The types are checked by `npm run check`. */
import { BalancedPool, ConnectionPool, type PoolError, type PoolEvent, ResourcePool } from "@effect-pools/core"
import { HttpPool } from "@effect-pools/http"
import { ConnectionManager, LeaseSpan } from "@effect-pools/manager"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool } from "@effect-pools/websocket"
import { Config, type Context, Effect, Layer, Redacted, Schedule, type Scope, type Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { Redis } from "effect/persistence"
import type { Socket } from "effect/socket"
import type { SqlClient } from "effect/sql"
import { describe, expectTypeOf, it } from "vitest"
import * as MemoPool from "../own-kind/MemoPool.ts"

interface Session {
  readonly ask: (question: string) => Effect.Effect<string>
}

class Db extends PostgresPool.Service<Db>()("app/Db") {}
class Replica extends PostgresPool.Service<Replica>()("app/Replica") {}
class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
class Api extends HttpPool.Service<Api>()("app/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}
class Oracle extends ResourcePool.Service<Oracle, Session>()("app/Oracle") {}
class Backend extends ConnectionPool.Service<Backend, Session>()("app/Backend") {}
class Oracles extends BalancedPool.Service<Oracles, Session>()("app/Oracles") {}
class Memos extends MemoPool.Service<Memos>()("app/Memos") {}

/** Only for the compiler: nothing of it is run. */
const typed = (_check: () => unknown) => () => {}

describe("the compiler", () => {
  it(
    "takes any pool class where a helper is generic over pools",
    typed(() => {
      const used = <Self, Id extends string, Lent>(pool: ConnectionPool.PoolClass<Self, Id, Lent>) =>
        Effect.map(pool.stats, ({ used }) => used)
      expectTypeOf(used(Db)).toEqualTypeOf<Effect.Effect<number, never, Db>>()
      expectTypeOf(used(Cache)).toEqualTypeOf<Effect.Effect<number, never, Cache>>()
      expectTypeOf(used(Api)).toEqualTypeOf<Effect.Effect<number, never, Api>>()
      expectTypeOf(used(Chat)).toEqualTypeOf<Effect.Effect<number, never, Chat>>()
      expectTypeOf(used(Oracle)).toEqualTypeOf<Effect.Effect<number, never, Oracle>>()
      expectTypeOf(used(Backend)).toEqualTypeOf<Effect.Effect<number, never, Backend>>()
      expectTypeOf(used(Oracles)).toEqualTypeOf<Effect.Effect<number, never, Oracles>>()
      expectTypeOf(used(Memos)).toEqualTypeOf<Effect.Effect<number, never, Memos>>()
    })
  )

  it(
    "knows what a generic helper lends",
    typed(() => {
      const lend = <Self, Id extends string, Lent, A, E, R>(
        pool: ConnectionPool.PoolClass<Self, Id, Lent>,
        f: (lent: Lent) => Effect.Effect<A, E, R>
      ) => pool.withConnection(f)
      const lent = [
        lend(Db, (sql) => sql`SELECT 1`),
        lend(Cache, (redis) => redis.get("k")),
        lend(Api, (client) => client.get("/")),
        lend(Chat, (connection) => connection.request("hello")),
        lend(Oracles, (session) => session.ask("why")),
        // @ts-expect-error a session of Redis has no statements
        lend(Cache, (redis) => redis`SELECT 1`)
      ]
      const acquire = <Self, Id extends string, Lent>(pool: ConnectionPool.PoolClass<Self, Id, Lent>) => pool.acquire
      expectTypeOf(acquire(Api)).toEqualTypeOf<typeof Api.acquire>()
      expectTypeOf(acquire(Oracle)).toEqualTypeOf<
        Effect.Effect<Session, PoolError.PoolError, Oracle | Scope.Scope>
      >()
      return lent
    })
  )

  it(
    "takes a list of classes, and of what they find",
    typed(() => {
      const classes: ReadonlyArray<ConnectionPool.PoolClass<any, any, any>> = [
        Db,
        Cache,
        Api,
        Chat,
        Oracle,
        Backend,
        Oracles,
        Memos
      ]
      const keys: ReadonlyArray<Context.Key<any, ConnectionPool.ConnectionPool<any>>> = [Db, Cache, Api, Chat, Memos]
      const managed = ConnectionManager.layer({ pools: [Db, Cache, Api, Chat, Oracle, Oracles, Memos] })
      expectTypeOf(managed).toEqualTypeOf<
        Layer.Layer<
          ConnectionManager,
          PoolError.PoolError,
          Db | Cache | Api | Chat | Oracle | Oracles | Memos
        >
      >()
      return [Effect.all(classes.map((pool) => pool.stats)), keys]
    })
  )

  it(
    "knows a repository over any class of a kind",
    typed(() => {
      const repository = <Self, Id extends string>(db: PostgresPool.PostgresPoolClass<Self, Id>) => ({
        byId: (id: number) => db.query<{ id: number }>`SELECT * FROM users WHERE id = ${id}`,
        all: db.stream((sql) => sql<{ id: number }>`SELECT id FROM users`.stream)
      })
      expectTypeOf<Effect.Services<ReturnType<ReturnType<typeof repository<Db, "app/Db">>["byId"]>>>()
        .toEqualTypeOf<Db>()
      return [repository(Db), repository(Replica)]
    })
  )

  it(
    "knows that the members of an instance need nothing",
    typed(() =>
      Effect.gen(function*() {
        const [db, cache, api, chat] = [yield* Db, yield* Cache, yield* Api, yield* Chat]
        expectTypeOf(db).toEqualTypeOf<PostgresPool.PostgresPool>()
        expectTypeOf<Effect.Services<ReturnType<typeof db.notify>>>().toEqualTypeOf<never>()
        expectTypeOf(db.query`SELECT 1`).toExtend<Effect.Effect<ReadonlyArray<object>, unknown>>()
        expectTypeOf(db.transaction((sql) => sql`SELECT 1`)).toExtend<Effect.Effect<unknown, unknown>>()
        expectTypeOf(db.acquire).toExtend<Effect.Effect<unknown, unknown, Scope.Scope>>()
        expectTypeOf(cache.get("k")).toExtend<Effect.Effect<string | undefined, unknown>>()
        expectTypeOf(cache.subscribe("c")).toExtend<Stream.Stream<unknown, unknown>>()
        expectTypeOf(api.post("/")).toExtend<Effect.Effect<unknown, unknown>>()
        expectTypeOf(chat.send("hello")).toExtend<Effect.Effect<void, unknown>>()
        expectTypeOf<Effect.Services<typeof Db.stats>>().toEqualTypeOf<Db>()
        expectTypeOf<Effect.Services<ReturnType<typeof Cache.get>>>().toEqualTypeOf<Cache>()
        expectTypeOf<Effect.Services<ReturnType<typeof Api.head>>>().toEqualTypeOf<Api>()
      })
    )
  )

  it(
    "knows the events of all kinds",
    typed(() => {
      expectTypeOf(Db.eventsWith({ leases: false })).toEqualTypeOf<Stream.Stream<PoolEvent.PoolEvent, never, Db>>()
      expectTypeOf(Api.eventsWith({ leases: false })).toEqualTypeOf<Stream.Stream<PoolEvent.PoolEvent, never, Api>>()
      expectTypeOf(Oracles.eventsWith()).toEqualTypeOf<Stream.Stream<PoolEvent.PoolEvent, never, Oracles>>()
      expectTypeOf(Memos.events).toEqualTypeOf<Stream.Stream<PoolEvent.PoolEvent, never, Memos>>()
      expectTypeOf(Chat.retire(1)).toEqualTypeOf<Effect.Effect<boolean, never, Chat>>()
    })
  )

  it(
    "takes values and configs side by side in every layerConfig",
    typed(() => {
      type Failure = PoolError.PoolError | Config.ConfigError
      const db = Db.layerConfig({
        url: Config.Redacted("URL"),
        maxConnections: 3,
        breaker: { failureRate: Config.Number("RATE"), minimumDials: 5 },
        retry: Schedule.recurs(2),
        acquireTimeout: "2 seconds",
        minConnections: Config.Int("MIN").pipe(Config.withDefault(undefined))
      })
      expectTypeOf(db).toExtend<Layer.Layer<Db | SqlClient.SqlClient, Failure>>()
      expectTypeOf(Cache.layerConfig(Config.all({ host: Config.String("H"), port: Config.Port("P") })))
        .toExtend<Layer.Layer<Cache | Redis.Redis, Failure>>()
      const api = Api.layerConfig({
        origin: Config.String("O"),
        headers: { "x-api-key": Config.Redacted("K"), accept: "application/json" },
        tls: { ca: Config.String("CA") },
        maxConnections: 8
      })
      expectTypeOf(api).toExtend<Layer.Layer<Api | HttpClient.HttpClient, Failure>>()
      expectTypeOf(Chat.layerConfig({ url: Config.Redacted("W"), maxConnections: 2 }))
        .toExtend<Layer.Layer<Chat | Socket.Socket, Failure>>()
      const session: Session = { ask: Effect.succeed }
      expectTypeOf(Oracle.layerConfig({ acquire: Effect.succeed(session), maxConnections: Config.Int("M") }))
        .toEqualTypeOf<Layer.Layer<Oracle, Failure>>()
      expectTypeOf(Backend.layerConfig({ connect: () => Effect.succeed(session) }, { maxConnections: 1 }))
        .toEqualTypeOf<Layer.Layer<Backend, Failure>>()
      expectTypeOf(Oracles.layerConfig(Effect.succeed([]), { strategy: "roundRobin", slowStart: Config.Duration("S") }))
        .toEqualTypeOf<Layer.Layer<Oracles, Failure>>()
      expectTypeOf(Memos.layerConfig({ port: Config.Port("P"), host: "localhost" }))
        .toEqualTypeOf<Layer.Layer<Memos, Failure>>()
      // @ts-expect-error a misspelt option
      Db.layerConfig({ url: Config.Redacted("URL"), maxConections: 3 })
      // @ts-expect-error a value of another type
      Db.layerConfig({ url: Config.Redacted("URL"), maxConnections: "3" })
    })
  )

  it(
    "takes the pool's options in every layerTest, which never fails",
    typed(() => {
      expectTypeOf(Db.layerTest(() => [], { maxConnections: 1, acquireTimeout: "1 second" }))
        .toExtend<Layer.Layer<Db | SqlClient.SqlClient>>()
      expectTypeOf(Cache.layerTest(() => null, { maxConnections: 1 })).toEqualTypeOf<
        Layer.Layer<Cache | Redis.Redis>
      >()
      expectTypeOf(Api.layerTest(() => new Response(), { maxConnections: 1, basePath: "/v1" })).toEqualTypeOf<
        Layer.Layer<Api | HttpClient.HttpClient>
      >()
      expectTypeOf(Chat.layerTest(() => [], { maxConnections: 1 })).toEqualTypeOf<Layer.Layer<Chat | Socket.Socket>>()
      const session: Session = { ask: Effect.succeed }
      expectTypeOf(Oracle.layerTest({ acquire: Effect.succeed(session), maxConnections: 1 }))
        .toEqualTypeOf<Layer.Layer<Oracle>>()
      expectTypeOf(Backend.layerTest(() => Effect.succeed(session), { maxConnections: 1 }))
        .toEqualTypeOf<Layer.Layer<Backend>>()
      expectTypeOf(Oracles.layerTest(() => Effect.succeed(session), { upstreams: [{ maxConnections: 1 }] }))
        .toEqualTypeOf<Layer.Layer<Oracles>>()
    })
  )

  it(
    "keeps one class's layer apart from another's, and takes doubles of any kind",
    typed(() => {
      // @ts-expect-error the layer of another class
      const wrong: Layer.Layer<Db, PoolError.PoolError> = Replica.layerPoolOnly({ url: Redacted.make("x") })
      const config = {} as PostgresPool.PostgresPool["config"]
      const mock = Layer.mock(Db)({ name: "db", config, query: () => Effect.succeed([]) })
      const balanced = Db.layerFrom(BalancedPool.make<PostgresLent>([]))
      expectTypeOf(balanced).toEqualTypeOf<Layer.Layer<Db, PoolError.PoolError>>()
      const traced = LeaseSpan.withConnection(Db, (sql) => sql`SELECT 1`)
      expectTypeOf<Effect.Services<typeof traced>>().toEqualTypeOf<Db>()
      expectTypeOf<Effect.Services<ReturnType<typeof Db.use<number, never, never>>>>().toEqualTypeOf<Db>()
      return [wrong, mock, traced]
    })
  )
})

type PostgresLent = Parameters<Parameters<typeof Db.withConnection>[0]>[0]

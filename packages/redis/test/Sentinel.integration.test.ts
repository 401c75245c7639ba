import type { RedisConfig } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Redacted, Ref, Schedule, Stream } from "effect"
import { Cache, eventually } from "./support.ts"

class Watched extends Context.Service<Watched, EmbeddedRedis.Sentinel>()("test/Watched") {}

const secrets = { password: "server-secret", sentinelPassword: "sentinel-secret" }

type SentinelOptions = NonNullable<RedisConfig.RedisOptions["sentinel"]>

const cacheOf = (
  { masterName, sentinels, servers }: EmbeddedRedis.Sentinel,
  options: RedisConfig.RedisOptions = {},
  sentinel: Partial<SentinelOptions> = {}
) =>
  Cache.layer({
    sentinel: {
      nodes: sentinels.map(({ host, port }) => ({ host, port })),
      name: masterName,
      password: sentinels[0]?.password,
      ...sentinel
    },
    password: servers[0]?.password,
    minConnections: 0,
    retry: Schedule.spaced("100 millis"),
    ...options
  })

const cache = (options?: RedisConfig.RedisOptions, sentinel?: Partial<SentinelOptions>) =>
  Layer.unwrap(Effect.map(Watched, (watched) => cacheOf(watched, options, sentinel)))

/** Writes until it succeeds, as a program would that may do so. */
const write = (key: string, value: string) =>
  Cache.set(key, value).pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.timeout("20 seconds"))

/** Where the pool's connections lead to, without those that are being opened. */
const places = Effect.map(Cache.connections, (all) => {
  const open = all.filter(({ state }) => state === "idle" || state === "used")
  return Array.from(new Set(open.map(({ tags }) => tags["address"])))
})

const addressOf = ({ host, port }: EmbeddedRedis.Instance) => `${host}:${port}`

const failureOf = (options: RedisConfig.RedisOptions, sentinel?: Partial<SentinelOptions>) =>
  Effect.gen(function*() {
    const watched = yield* Watched
    const error = yield* Effect.flip(Cache.ping()).pipe(
      Effect.provide(cacheOf(watched, { retry: Schedule.recurs(0), ...options }, sentinel))
    )
    assert(error._tag === "PoolError" && error.reason._tag === "ConnectFailed")
    return error.reason
  })

describe("sentinel", () => {
  layer(Layer.effect(Watched, EmbeddedRedis.sentinel({ replicas: 1, ...secrets })), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect("the primary is found, with the credentials of both", () =>
      Effect.gen(function*() {
        const { master } = yield* Watched
        yield* Cache.set("a", "1")
        assert.deepStrictEqual(yield* places, [addressOf(yield* master)])
      }).pipe(Effect.provide(cache())))

    it.effect("a pool with the role of a replica reads there, and a write says that it can't", () =>
      Effect.gen(function*() {
        const { master, servers } = yield* Watched
        const primary = yield* master
        yield* primary.command("SET", "replicated", "yes")
        yield* eventually("it is replicated", Effect.map(Cache.get("replicated"), (value) => value === "yes"))
        assert.deepStrictEqual(yield* places, servers.filter((server) => server !== primary).map(addressOf))
        const error = yield* Effect.flip(Cache.set("a", "1"))
        assert(error._tag === "RedisError" && error.reason._tag === "ReadOnly")
        // That is what the pool is for: the connection stays.
        assert.strictEqual((yield* Cache.stats).counts.closed, 0)
      }).pipe(Effect.provide(cache({}, { role: "replica" }))))

    it.effect("a wrong password for the sentinels or for the server is told, and neither is shown", () =>
      Effect.gen(function*() {
        const canary = Redacted.make("wr0ng-canary")
        const reasons = [yield* failureOf({}, { password: canary }), yield* failureOf({ password: canary })]
        for (const reason of reasons) {
          assert.match(reason.message, /WRONGPASS|invalid password/)
          assert.notInclude(`${reason.message} ${JSON.stringify(reason)} ${String(reason.cause)}`, "canary")
        }
      }))

    it.effect("a name that no sentinel knows is told", () =>
      Effect.gen(function*() {
        const { message } = yield* failureOf({}, { name: "other" })
        assert.include(message, "sentinel other")
        assert.include(message, "knows no such server")
      }))

    it.effect("sentinels that are down or silent are passed over", () =>
      Effect.gen(function*() {
        const { sentinels } = yield* Watched
        const [down, silent] = sentinels
        yield* down!.kill9
        yield* silent!.stop
        yield* Effect.provide(Cache.set("a", "1"), cache()).pipe(
          Effect.ensuring(Effect.andThen(silent!.cont, Effect.orDie(down!.start)))
        )
        yield* Effect.sleep("1 second")
      }))

    it.effect("after a failover under load writes come back by themselves, and nothing stays at the old primary", () =>
      Effect.gen(function*() {
        const { failover, master } = yield* Watched
        const former = yield* master
        const written = yield* Ref.make(0)
        const load = yield* Effect.forkScoped(
          Effect.all(
            Array.from(
              { length: 8 },
              (_, i) => Effect.forever(Effect.andThen(write(`load:${i}`, "x"), Ref.update(written, (n) => n + 1)))
            ),
            { concurrency: "unbounded" }
          )
        )
        const reach = (target: number) => eventually("writes go on", Effect.map(Ref.get(written), (n) => n > target))
        yield* reach(100)
        const next = yield* failover
        yield* reach((yield* Ref.get(written)) + 100)
        yield* eventually(
          "only the new primary is used",
          Effect.map(places, (all) => all.length === 1 && all[0] === addressOf(next))
        )
        assert.notStrictEqual(addressOf(next), addressOf(former))
        assert.isUndefined(load.pollUnsafe())
        yield* Fiber.interrupt(load)
        yield* eventually(
          "the old primary has no client of the pool",
          Effect.map(former.clients, (clients) => clients.every(({ name }) => name !== "app/Cache"))
        )
      }).pipe(Effect.scoped, Effect.provide(cache({ maxConnections: 4, sharing: 1 }))))

    it.effect("idle connections to a demoted primary are not lent for writes twice", () =>
      Effect.gen(function*() {
        const { master } = yield* Watched
        const primary = yield* master
        yield* Effect.all(Array.from({ length: 3 }, () => Cache.withConnection((redis) => redis.ping())), {
          concurrency: "unbounded"
        })
        // As a demotion would leave it, without the sentinels' word.
        yield* primary.command("REPLICAOF", "127.0.0.1", 1)
        const error = yield* Effect.flip(Cache.set("a", "1"))
        assert(error._tag === "RedisError" && error.reason._tag === "ReadOnly")
        yield* primary.command("REPLICAOF", "NO", "ONE")
        yield* write("a", "2")
        assert.isAtLeast((yield* Cache.stats).counts.closed, 1)
      }).pipe(Effect.provide(cache())))
  })

  it.live("when the primary dies a replica takes over, and writes come back by themselves", () =>
    Effect.gen(function*() {
      const watched = yield* EmbeddedRedis.sentinel({ replicas: 2 })
      yield* Effect.gen(function*() {
        const primary = yield* watched.master
        yield* write("a", "1")
        const queue = yield* Queue.unbounded<string>()
        yield* Cache.subscribe("news").pipe(
          Stream.runForEach((element) => Queue.offer(queue, element._tag)),
          Effect.forkScoped
        )
        assert.strictEqual(yield* Queue.take(queue), "Subscribed")
        yield* primary.kill9
        yield* write("a", "2")
        const next = yield* watched.masterAfter(primary)
        assert.deepStrictEqual(yield* places, [addressOf(next)])
        assert.strictEqual(yield* next.command("GET", "a"), "2")
        assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "20 seconds"), "Gap")
        yield* Cache.publish("news", "x")
        assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "20 seconds"), "Message")
      }).pipe(Effect.scoped, Effect.provide(cacheOf(watched)))
    }))

  it.live("who waits for an element at a primary that is demoted waits on at its successor", () =>
    Effect.gen(function*() {
      const watched = yield* EmbeddedRedis.sentinel({ replicas: 1, sentinels: 1 })
      yield* Effect.gen(function*() {
        const [primary, replica] = watched.servers
        yield* watched.sentinels[0]!.stop
        const failures: Array<string> = []
        const worker = yield* Cache.blpop(["jobs"], "20 seconds").pipe(
          Effect.tapError((error) => Effect.sync(() => failures.push(error.message))),
          Effect.retry({ while: (error) => error.isRetryable, schedule: Schedule.spaced("100 millis") }),
          Effect.forkChild
        )
        yield* eventually(
          "it waits",
          Effect.map(primary!.clients, (all) => all.some(({ command }) => command === "blpop"))
        )
        yield* primary!.command("REPLICAOF", replica!.host, replica!.port)
        yield* eventually("it is told", Effect.sync(() => failures.some((message) => message.includes("UNBLOCKED"))))
        yield* primary!.command("REPLICAOF", "NO", "ONE")
        yield* write("a", "1")
        yield* primary!.command("RPUSH", "jobs", "job 1")
        assert.deepStrictEqual(yield* Effect.timeout(Fiber.join(worker), "20 seconds"), ["jobs", "job 1"])
        assert.isAtLeast((yield* Cache.stats).counts.closed, 1)
      }).pipe(Effect.provide(Cache.layer({ url: watched.servers[0]!.url, minConnections: 0, maxConnections: 4 })))
    }))

  it.live("a primary that freezes is given up, and its successor found", () =>
    Effect.gen(function*() {
      const watched = yield* EmbeddedRedis.sentinel({ replicas: 1 })
      yield* Effect.gen(function*() {
        const primary = yield* watched.master
        yield* write("a", "1")
        yield* primary.stop
        yield* write("a", "2")
        const next = yield* watched.masterAfter(primary)
        assert.deepStrictEqual(yield* places, [addressOf(next)])
        yield* primary.cont
        yield* write("a", "3")
        assert.strictEqual(yield* next.command("GET", "a"), "3")
      }).pipe(Effect.provide(cacheOf(watched, { commandTimeout: "500 millis", connectTimeout: "2 seconds" })))
    }))
})

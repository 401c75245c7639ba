import type { RedisConfig } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Redacted, Schedule, Stream } from "effect"
import * as FakeServer from "./fixtures/fakeServer.ts"
import { Cache, eventually } from "./support.ts"

type Watched = EmbeddedRedis.Sentinel
type SentinelOptions = NonNullable<RedisConfig.RedisOptions["sentinel"]>

const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({ host, port })

const cacheOf = (
  { masterName, sentinels, servers }: Watched,
  options: RedisConfig.RedisOptions = {},
  sentinel: Partial<SentinelOptions> = {}
) =>
  Cache.layer({
    sentinel: { name: masterName, nodes: sentinels.map(addressOf), ...sentinel },
    password: servers[0]?.password,
    minConnections: 0,
    retry: Schedule.spaced("100 millis"),
    ...options
  })

const write = (key: string, value: string) =>
  Cache.set(key, value).pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.timeout("20 seconds"))

/** A set whose primary can be cut off from its sentinels and its replica, and from nobody else. */
const cuttable = Effect.gen(function*() {
  const set = yield* EmbeddedRedis.sentinel({ replicas: 1, sentinels: 3, password: "pw" })
  for (const server of set.servers) yield* server.command("ACL", "SETUSER", "watch", "on", ">w", "~*", "&*", "+@all")
  for (const sentinel of set.sentinels) {
    yield* sentinel.command("SENTINEL", "SET", set.masterName, "auth-user", "watch")
    yield* sentinel.command("SENTINEL", "SET", set.masterName, "auth-pass", "w")
  }
  const cut = (primary: EmbeddedRedis.Instance) =>
    Effect.andThen(
      primary.command("ACL", "SETUSER", "watch", "off", "resetpass"),
      primary.command("CLIENT", "KILL", "USER", "watch")
    )
  return { set, cut }
})

/** Until the sentinels have looked at it as their operator. */
const settle = Effect.sleep("1 second")

describe("what the sentinels say", () => {
  it.live(
    "moves writes and subscriptions off a primary that they have replaced and can't reach",
    () =>
      Effect.gen(function*() {
        const { cut, set } = yield* cuttable
        yield* settle
        yield* Effect.gen(function*() {
          const former = yield* set.master
          yield* Cache.set("count", "0")
          const queue = yield* Queue.unbounded<string>()
          yield* Effect.forkScoped(
            Stream.runForEach(Cache.subscribe("news"), (element) => Queue.offer(queue, element._tag))
          )
          assert.strictEqual(yield* Queue.take(queue), "Subscribed")
          yield* cut(former)
          const next = yield* set.masterAfter(former)
          assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "10 seconds"), "Gap")
          yield* eventually(
            "nobody is at the former primary",
            Effect.map(former.clients, (all) => all.every(({ name }) => name !== "app/Cache"))
          )
          yield* Effect.replicateEffect(Effect.retry(Cache.incr("count"), { times: 3 }), 50)
          assert.strictEqual(yield* next.command("GET", "count"), "50")
          assert.strictEqual(yield* former.command("GET", "count"), "0")
          yield* next.command("PUBLISH", "news", "x")
          assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "10 seconds"), "Message")
        }).pipe(Effect.scoped, Effect.provide(cacheOf(set)))
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "counts by its configuration: one that is cut off from the others and names the former primary misleads nobody",
    () =>
      Effect.gen(function*() {
        const { cut, set } = yield* cuttable
        yield* settle
        const former = yield* set.master
        yield* cut(former)
        const next = yield* set.masterAfter(former)
        const about = ["name", "main", "config-epoch", "0"]
        const lagging = yield* FakeServer.make((command) => {
          if (command === "SENTINEL GET-MASTER-ADDR-BY-NAME main") return list([former.host, String(former.port)])
          if (command === "SENTINEL MASTER main") return list(about)
          if (command.startsWith("SUBSCRIBE")) return `*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n`
          return FakeServer.polite(command)
        })
        const nodes = [{ host: "127.0.0.1", port: lagging.port }, ...set.sentinels.map(addressOf)]
        yield* Effect.gen(function*() {
          for (let i = 0; i < 20; i++) {
            yield* Effect.retry(Cache.incr("count"), { times: 3 })
            yield* Effect.sleep("50 millis")
          }
          assert.strictEqual(yield* next.command("GET", "count"), "20")
          assert.isNull(yield* former.command("GET", "count"))
          assert.strictEqual((yield* Cache.stats).counts.opened, 1)
        }).pipe(Effect.provide(cacheOf(set, { maxConnections: 1 }, { nodes, checkInterval: "100 millis" })))
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("moves who only reads off a primary that was demoted behind its back", () =>
    Effect.gen(function*() {
      const set = yield* EmbeddedRedis.sentinel({ replicas: 1, sentinels: 1 })
      const [former, next] = set.servers
      const [sentinel] = set.sentinels
      yield* Effect.gen(function*() {
        yield* Cache.set("version", "1")
        yield* eventually(
          "it is replicated",
          Effect.map(next!.command("GET", "version"), (version) => version === "1")
        )
        yield* sentinel!.command("SENTINEL", "REMOVE", "main")
        yield* next!.command("REPLICAOF", "NO", "ONE")
        yield* next!.command("SET", "version", "2")
        yield* former!.command("REPLICAOF", "127.0.0.1", 1)
        yield* sentinel!.command("SENTINEL", "MONITOR", "main", next!.host, next!.port, 1)
        // It is never idle for long, so nothing but the sentinel's word could tell.
        yield* Effect.repeat(Effect.orElseSucceed(Cache.get("version"), () => undefined), {
          until: (version) => version === "2",
          schedule: Schedule.spaced("5 millis")
        }).pipe(Effect.timeout("5 seconds"))
      }).pipe(Effect.provide(cacheOf(set, { maxConnections: 1 }, { checkInterval: "200 millis" })))
    }).pipe(Effect.scoped), 60_000)

  it.live("a demoted primary fails its validation, with the reason", () =>
    Effect.gen(function*() {
      const set = yield* EmbeddedRedis.sentinel({ replicas: 1, sentinels: 1 })
      const primary = yield* set.master
      const options = { freshnessWindow: 0, maxConnections: 1, acquireTimeout: "1 second" } as const
      yield* Effect.gen(function*() {
        yield* Cache.set("version", "1")
        yield* set.sentinels[0]!.stop
        yield* primary.command("REPLICAOF", "127.0.0.1", 1)
        yield* Effect.flip(Cache.get("version"))
        assert.strictEqual((yield* Cache.stats).counts.failedToValidate, 1)
      }).pipe(Effect.ensuring(set.sentinels[0]!.cont), Effect.provide(cacheOf(set, options)))
    }).pipe(Effect.scoped), 60_000)

  it.live("a replica whose link to its primary is down is not read from", () =>
    Effect.gen(function*() {
      const set = yield* EmbeddedRedis.sentinel({ replicas: 2, sentinels: 1, password: "pw" })
      const [primary, lame, sound] = set.servers
      const unlink = Effect.andThen(
        lame!.command("CONFIG", "SET", "masterauth", "wrong"),
        primary!.command("CLIENT", "KILL", "TYPE", "replica")
      )
      const read = Cache.withConnection((redis) => Effect.retry(redis.get("version"), { times: 3 }))
      yield* Effect.gen(function*() {
        yield* primary!.command("SET", "version", "1")
        // As many as it takes, so that both replicas are in use.
        yield* eventually(
          "both are used",
          Effect.gen(function*() {
            yield* Effect.all(Array.from({ length: 8 }, () => read), { concurrency: "unbounded" })
            const places = yield* Effect.map(
              Cache.connections,
              (all) => new Set(all.map(({ tags }) => tags["address"]))
            )
            return places.size === 2
          })
        )
        yield* unlink
        yield* eventually(
          "the sentinel knows",
          Effect.map(
            set.sentinels[0]!.command("SENTINEL", "REPLICAS", set.masterName),
            (all) => JSON.stringify(all).includes(`"master-link-status","err"`)
          )
        )
        yield* primary!.command("SET", "version", "2")
        yield* Effect.sleep("1 second")
        const values = yield* Effect.all(Array.from({ length: 30 }, () => read), { concurrency: 10 })
        assert.deepStrictEqual(Array.from(new Set(values)), ["2"])
        // A dial under way has no address yet.
        const open = (yield* Cache.connections).filter(({ state }) => state !== "opening")
        const places = new Set(open.map(({ tags }) => tags["address"]))
        assert.deepStrictEqual(Array.from(places), [`${sound!.host}:${sound!.port}`])
      }).pipe(Effect.provide(
        cacheOf(set, { maxConnections: 8 }, { role: "replica", checkInterval: "200 millis" })
      ))
    }).pipe(Effect.scoped), 60_000)

  it.live(
    "moves a subscription off a replica whose link to its primary is down, with a gap",
    () =>
      Effect.gen(function*() {
        const set = yield* EmbeddedRedis.sentinel({ replicas: 2, sentinels: 1, password: "pw" })
        const [primary, ...replicas] = set.servers
        yield* Effect.gen(function*() {
          const queue = yield* Queue.unbounded<string>()
          yield* Effect.forkScoped(
            Stream.runForEach(Cache.subscribe("news"), (element) => Queue.offer(queue, element._tag))
          )
          assert.strictEqual(yield* Queue.take(queue), "Subscribed")
          const [lame] = yield* Effect.filter(
            replicas,
            (replica) => Effect.map(replica.clients, (all) => all.some(({ name }) => name === "app/Cache"))
          )
          yield* lame!.command("CONFIG", "SET", "masterauth", "wrong")
          yield* primary!.command("CLIENT", "KILL", "TYPE", "replica")
          assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "20 seconds"), "Gap")
          // Until the other has its link again, it may begin anew more than once.
          yield* Effect.repeat(
            Effect.andThen(primary!.command("PUBLISH", "news", "x"), Effect.timeout(Queue.take(queue), "10 seconds")),
            { until: (element) => element === "Message", schedule: Schedule.spaced("100 millis") }
          )
        }).pipe(
          Effect.scoped,
          Effect.provide(cacheOf(set, {}, { role: "replica", checkInterval: "200 millis" }))
        )
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "lets who waits for an element wait on at the new primary, however it hears of it",
    () =>
      Effect.gen(function*() {
        const set = yield* EmbeddedRedis.sentinel({ replicas: 1, sentinels: 1 })
        yield* Effect.gen(function*() {
          const former = yield* set.master
          const worker = yield* Cache.blpop(["jobs"], "20 seconds").pipe(
            Effect.retry({ while: (error) => error.isRetryable, schedule: Schedule.spaced("50 millis") }),
            Effect.forkChild
          )
          yield* eventually(
            "it waits",
            Effect.map(former.clients, (all) => all.some(({ command }) => command === "blpop"))
          )
          const next = yield* set.failover
          yield* next.command("RPUSH", "jobs", "job")
          assert.deepStrictEqual(yield* Effect.timeout(Fiber.join(worker), "10 seconds"), ["jobs", "job"])
        }).pipe(Effect.provide(cacheOf(set)))
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "is heard again after a sentinel was away, and nobody listens for a pool without connections",
    () =>
      Effect.gen(function*() {
        const set = yield* EmbeddedRedis.sentinel({ replicas: 0, sentinels: 1 })
        const [sentinel] = set.sentinels
        const listeners = Effect.map(sentinel!.clients, (all) => all.filter(({ flags }) => flags.includes("P")).length)
        const one = eventually("one listens", Effect.map(listeners, (count) => count === 1))
        yield* Effect.gen(function*() {
          yield* write("a", "1")
          yield* one
          yield* sentinel!.restart
          yield* one
          yield* write("a", "2")
          yield* eventually("the connection is idle too long", Effect.map(Cache.stats, ({ total }) => total === 0))
          yield* eventually("nobody listens", Effect.map(listeners, (count) => count === 0))
          yield* write("a", "3")
          yield* one
        }).pipe(Effect.provide(cacheOf(set, { idleTimeout: "3 seconds" }, { checkInterval: "100 millis" })))
        yield* eventually("nobody listens", Effect.map(listeners, (count) => count === 0))
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("a checkInterval too short and an option that there is not are refused", () =>
    Effect.gen(function*() {
      const nodes = [{ host: "127.0.0.1", port: 1 }]
      for (const wrong of [{ checkInterval: "1 millis" }, { checkEvery: "1 second" }, { tls: "yes" }]) {
        const options = { sentinel: { name: "main", nodes, password: Redacted.make("x"), ...wrong } }
        const error = yield* Effect.flip(Effect.provide(Cache.stats, Cache.layer(options as never)))
        assert(error._tag === "PoolError" && error.reason._tag === "InvalidOption")
        assert.strictEqual(error.reason.option, "sentinel")
      }
    }))
})

const list = (items: ReadonlyArray<string>): string =>
  `*${items.length}\r\n${items.map((item) => `$${Buffer.byteLength(item)}\r\n${item}\r\n`).join("")}`

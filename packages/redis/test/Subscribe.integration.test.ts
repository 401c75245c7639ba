import { PoolError } from "@effect-pools/core"
import { RedisPool, RedisSubscription } from "@effect-pools/redis"
import { EmbeddedRedis, TcpProxy } from "@effect-pools/testing"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Queue, Redacted, Schedule, Scope, Stream } from "effect"

const { EmbeddedRedis: Redis } = EmbeddedRedis

class Cache extends RedisPool.Service<Cache>()("app/Cache") {}

type Options = Parameters<typeof Cache.layer>[0]

const cache = (options: Options = {}) =>
  Layer.unwrap(Effect.map(Redis, ({ url }) => Cache.layer({ url, minConnections: 0, ...options })))

/** Reads a subscription into a queue, from which a test takes one element after the other. */
const follow = <E, R>(stream: Stream.Stream<RedisSubscription.Element, E, R>) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<RedisSubscription.Element, E>()
    const fiber = yield* Effect.forkScoped(
      Stream.runForEach(stream, (element) => Queue.offer(queue, element)).pipe(
        Effect.catchCause((cause) => Queue.failCause(queue, cause))
      )
    )
    const next = Effect.timeout(Queue.take(queue), "10 seconds")
    return { next, fiber, size: Queue.size(queue) }
  })

const subscribed = <E>(followed: { readonly next: Effect.Effect<RedisSubscription.Element, E> }) =>
  Effect.map(followed.next, (element) => assert.strictEqual(element._tag, "Subscribed"))

const texts = <E>(followed: { readonly next: Effect.Effect<RedisSubscription.Element, E> }, count: number) =>
  Effect.replicateEffect(followed.next, count).pipe(
    Effect.map((elements) =>
      elements.map((element) => element._tag === "Message" ? `${element.channel} ${element.message}` : element._tag)
    )
  )

const until = <A, E, R>(effect: Effect.Effect<A, E, R>, condition: (a: A) => boolean) =>
  effect.pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: condition }),
    Effect.timeout("10 seconds")
  )

const subscribers = Effect.flatMap(
  Redis,
  ({ clients }) => Effect.map(clients, (all) => all.filter(({ flags }) => flags.includes("P")))
)

const publish = (channel: string, message: string) =>
  Effect.flatMap(Redis, (redis) => redis.command("PUBLISH", channel, message))

describe("subscriptions", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("yields what is published on its channels, in order and whatever it holds", () =>
      Effect.gen(function*() {
        const followed = yield* follow(Cache.subscribe(["a", "b c\r\n"]))
        yield* subscribed(followed)
        yield* publish("a", "1")
        yield* publish("b c\r\n", "two\r\n+OK")
        yield* publish("other", "no")
        yield* publish("a", "")
        assert.deepStrictEqual(yield* texts(followed, 3), ["a 1", "b c\r\n two\r\n+OK", "a "])
      }).pipe(Effect.provide(cache())))

    it.effect("bytes come as they are", () =>
      Effect.gen(function*() {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        const followed = yield* follow(Cache.subscribe("raw"))
        yield* subscribed(followed)
        yield* Cache.publish("raw", bytes)
        const message = yield* followed.next
        assert(message._tag === "Message")
        assert.deepStrictEqual(message.bytes, bytes)
      }).pipe(Effect.provide(cache())))

    it.effect("patterns tell the channel and the pattern", () =>
      Effect.gen(function*() {
        const followed = yield* follow(Cache.psubscribe("user:*"))
        yield* subscribed(followed)
        yield* publish("user:7", "changed")
        const message = yield* followed.next
        assert(message._tag === "Message")
        assert.deepStrictEqual(
          [message.channel, message.pattern, message.message],
          ["user:7", "user:*", "changed"]
        )
      }).pipe(Effect.provide(cache())))

    it.effect("sharded channels work where there are no shards", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const followed = yield* follow(Cache.ssubscribe("sharded"))
        yield* subscribed(followed)
        yield* redis.command("SPUBLISH", "sharded", "1")
        yield* redis.command("PUBLISH", "sharded", "not this one")
        yield* redis.command("SPUBLISH", "sharded", "2")
        assert.deepStrictEqual(yield* texts(followed, 2), ["sharded 1", "sharded 2"])
      }).pipe(Effect.provide(cache())))

    it.effect("a channel, a pattern and a sharded channel of one name are three things", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const all = [
          yield* follow(Cache.subscribe("same")),
          yield* follow(Cache.psubscribe("same")),
          yield* follow(Cache.ssubscribe("same"))
        ]
        for (const one of all) yield* subscribed(one)
        yield* redis.command("PUBLISH", "same", "plain")
        yield* redis.command("SPUBLISH", "same", "sharded")
        assert.deepStrictEqual(yield* Effect.forEach(all, (one) => texts(one, 1)), [
          ["same plain"],
          ["same plain"],
          ["same sharded"]
        ])
      }).pipe(Effect.provide(cache())))

    it.effect("all subscriptions share one connection, which the last one closes; the pool works beside it", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const all = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, i) => `channel:${i % 7}`),
          (channel) => Scope.provide(follow(Cache.subscribe([channel, "all"])), scope)
        )
        for (const one of all) yield* subscribed(one)
        assert.strictEqual((yield* subscribers).length, 1)
        assert.strictEqual((yield* Cache.stats).used, 1)
        yield* publish("all", "x")
        for (const one of all) assert.deepStrictEqual(yield* texts(one, 1), ["all x"])
        yield* Cache.set("beside", "works")
        assert.strictEqual(yield* Cache.get("beside"), "works")
        yield* Scope.close(scope, Exit.void)
        yield* until(subscribers, (left) => left.length === 0)
        assert.strictEqual((yield* Cache.stats).used, 0)
        assert.strictEqual(yield* Cache.get("beside"), "works")
      }).pipe(Effect.provide(cache())))

    it.effect("who leaves one of several channels leaves the others their own", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const scope = yield* Scope.make()
        const leaving = yield* Scope.provide(follow(Cache.subscribe("leaving")), scope)
        const staying = yield* follow(Cache.subscribe("staying"))
        yield* subscribed(leaving)
        yield* subscribed(staying)
        yield* Scope.close(scope, Exit.void)
        yield* until(redis.command("PUBLISH", "leaving", "nobody"), (count) => count === 0)
        yield* publish("staying", "1")
        assert.deepStrictEqual(yield* texts(staying, 1), ["staying 1"])
      }).pipe(Effect.provide(cache())))

    it.effect("the last sharded channel may go before the others, and the other way round, without a gap", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const sharded = { subscribe: Cache.ssubscribe, publish: "SPUBLISH" }
        const plain = { subscribe: Cache.subscribe, publish: "PUBLISH" }
        for (const [first, second] of [[sharded, plain], [plain, sharded]] as const) {
          const scope = yield* Scope.make()
          const staying = yield* follow(second.subscribe("staying"))
          const leaving = yield* Scope.provide(follow(first.subscribe("leaving")), scope)
          yield* subscribed(staying)
          yield* subscribed(leaving)
          yield* Scope.close(scope, Exit.void)
          yield* until(redis.command(first.publish, "leaving", "nobody"), (count) => count === 0)
          for (const text of ["1", "2"]) {
            yield* redis.command(second.publish, "staying", text)
            assert.deepStrictEqual(yield* texts(staying, 1), [`staying ${text}`])
          }
          const back = yield* follow(first.subscribe("leaving"))
          yield* subscribed(back)
          yield* redis.command(first.publish, "leaving", "again")
          assert.deepStrictEqual(yield* texts(back, 1), ["leaving again"])
        }
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("counts within maxConnections", () =>
      Effect.gen(function*() {
        const followed = yield* follow(Cache.subscribe("a"))
        yield* subscribed(followed)
        const error = yield* Effect.flip(Cache.get("k"))
        assert(error._tag === "PoolError" && error.reason._tag === "AcquireTimeout")
        assert.deepStrictEqual(error.reason.holders.map(({ label }) => label), ["subscriptions"])
      }).pipe(Effect.provide(cache({ maxConnections: 1, acquireTimeout: "100 millis" }))))

    it.effect("survives its connection, and tells of the gap", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const followed = yield* follow(Cache.subscribe("a"))
        yield* subscribed(followed)
        yield* publish("a", "before")
        assert.deepStrictEqual(yield* texts(followed, 1), ["a before"])
        yield* redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        const gap = yield* followed.next
        assert(gap._tag === "Gap")
        assert.strictEqual(gap.because, "connection")
        assert.isUndefined(gap.missed)
        assert.isAtLeast(gap.resumedAt, gap.lostAt)
        yield* publish("a", "after")
        assert.deepStrictEqual(yield* texts(followed, 1), ["a after"])
      }).pipe(Effect.provide(cache())))

    it.effect("survives a restart of the server under publishers", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const followed = yield* follow(Cache.subscribe("count"))
        yield* subscribed(followed)
        let sent = 0
        yield* Effect.suspend(() => redis.command("PUBLISH", "count", ++sent)).pipe(
          Effect.ignore,
          Effect.repeat(Schedule.spaced("2 millis")),
          Effect.forkScoped
        )
        yield* until(followed.size, (size) => size > 20)
        yield* redis.kill9
        yield* Effect.sleep("300 millis")
        yield* redis.start
        let last = 0
        let gaps = 0
        let after = 0
        yield* Effect.repeat(followed.next, {
          until: (element) => {
            if (element._tag === "Gap") gaps++
            if (element._tag !== "Message") return false
            const number = Number(element.message)
            // Nothing twice, nothing out of order, and nothing missing but where a gap says so.
            assert.isTrue(gaps > 0 ? number > last : number === last + 1, `${number} after ${last}`)
            last = number
            if (gaps > 0) after++
            return after === 10
          }
        })
        assert.strictEqual(gaps, 1)
      }).pipe(
        Effect.provide(cache({ retry: Schedule.spaced("50 millis") }))
      ))

    it.effect("a connection that dies without a word is noticed and replaced", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const proxy = yield* TcpProxy.make(redis)
        const followed = yield* Effect.provide(
          Effect.gen(function*() {
            const followed = yield* follow(Cache.subscribe("a"))
            yield* subscribed(followed)
            yield* proxy.blackhole(true)
            yield* Effect.sleep("400 millis")
            yield* proxy.blackhole(false)
            const gap = yield* followed.next
            assert.strictEqual(gap._tag, "Gap")
            return followed
          }),
          Cache.layer({
            host: proxy.host,
            port: proxy.port,
            minConnections: 0,
            healthCheck: "100 millis",
            validateTimeout: "100 millis",
            retry: Schedule.spaced("50 millis")
          })
        )
        assert.isAtLeast(yield* proxy.accepted, 2)
        yield* Fiber.interrupt(followed.fiber)
      }))

    it.effect("a slow reader loses the oldest, and learns how many", () =>
      Effect.gen(function*() {
        const isReading = yield* Latch.make(false)
        const slow = Cache.subscribe("fast", { bufferSize: 10 }).pipe(
          Stream.tap((element) => element._tag === "Subscribed" ? Effect.void : isReading.await)
        )
        const followed = yield* follow(slow)
        yield* subscribed(followed)
        yield* Cache.pipeline((redis) => Array.from({ length: 100 }, (_, i) => redis.publish("fast", String(i))))
        yield* Cache.publish("fast", "last")
        yield* Effect.sleep("100 millis")
        yield* isReading.open
        let total = 0
        let dropped = 0
        yield* Effect.repeat(followed.next, {
          until: (element) => {
            if (element._tag === "Message") total++
            if (element._tag === "Gap") dropped += element.missed ?? 0
            return element._tag === "Message" && element.message === "last"
          }
        })
        assert.isAbove(dropped, 0)
        assert.strictEqual(total + dropped, 101)
      }).pipe(Effect.provide(cache())))

    it.effect("what may not be listened to fails with the server's answer, and others go on", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* redis.command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "resetchannels", "&open")
        yield* Effect.gen(function*() {
          const open = yield* follow(Cache.subscribe("open"))
          yield* subscribed(open)
          const error = yield* Effect.flip(Stream.runHead(Cache.subscribe("closed")))
          assert(error._tag === "RedisError" && error.reason._tag === "CommandFailed")
          assert.strictEqual(error.reason.code, "NOPERM")
          yield* publish("open", "1")
          assert.deepStrictEqual(yield* texts(open, 1), ["open 1"])
        }).pipe(
          Effect.provide(
            cache({
              url: undefined,
              host: redis.host,
              port: redis.port,
              username: "limited",
              password: Redacted.make("pw")
            })
          )
        )
      }))

    it.effect("fails when no connection can be had at its beginning", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Stream.runHead(Cache.subscribe("a"))).pipe(
          Effect.provide(Cache.layer({ host: "127.0.0.1", port: 1, minConnections: 0, retry: Schedule.recurs(0) }))
        )
        assert(error._tag === "PoolError" && error.reason._tag === "ConnectFailed")
      }))

    it.effect("a drain ends subscriptions at once, with PoolClosed", () =>
      Effect.gen(function*() {
        const followed = yield* follow(Cache.subscribe("a"))
        yield* subscribed(followed)
        const report = yield* Cache.drain
        assert.deepStrictEqual(report.abandoned, [])
        assert.isBelow(report.took, 5000)
        const error = yield* Effect.flip(followed.next)
        assert(error._tag === "PoolError" && error.reason._tag === "PoolClosed")
      }).pipe(Effect.provide(cache())))

    it.effect("the end of the pool's scope ends subscriptions", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { url } = yield* Redis
        const pool = yield* Scope.provide(RedisPool.make({ url, minConnections: 0 }), scope)
        const followed = yield* follow(pool.subscribe("a"))
        yield* subscribed(followed)
        yield* Scope.close(scope, Exit.void)
        const error = yield* Effect.flip(followed.next)
        assert(error._tag === "PoolError" && error.reason._tag === "PoolClosed")
      }))

    it.effect("a bad option or name is refused by name", () =>
      Effect.gen(function*() {
        const cases = [
          [Cache.subscribe([]), "channels"],
          [Cache.subscribe("a", { bufferSize: 0 }), "bufferSize"],
          [Cache.subscribe("a", { bufferSize: 1.5 }), "bufferSize"],
          [Cache.subscribe("a", { bufferBytes: 1000 }), "bufferBytes"],
          [Cache.subscribe("a", { bufferBytes: Infinity }), "bufferBytes"],
          [Cache.subscribe("a", { buffer: 1 } as never), "buffer"]
        ] as const
        for (const [stream, option] of cases) {
          const error = yield* Effect.flip(Stream.runHead(stream))
          assert(error._tag === "PoolError" && error.reason instanceof PoolError.InvalidOption)
          assert.strictEqual(error.reason.option, option)
        }
      }).pipe(Effect.provide(cache())))

    it.effect("messages takes the messages alone", () =>
      Effect.gen(function*() {
        const fiber = yield* Cache.subscribe("a").pipe(
          RedisSubscription.messages,
          Stream.map(({ message }) => message),
          Stream.take(2),
          Stream.runCollect,
          Effect.forkScoped
        )
        yield* until(publish("a", "1"), (count) => count === 1)
        yield* publish("a", "2")
        assert.deepStrictEqual(yield* Fiber.join(fiber), ["1", "2"])
      }).pipe(Effect.provide(cache())))
  })
})

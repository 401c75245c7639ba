import type { RedisConfig } from "@effect-pools/redis"
import { EmbeddedRedis, TcpProxy } from "@effect-pools/testing"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Schedule } from "effect"
import { Cache, eventually, withCache } from "./support.ts"

const { EmbeddedRedis: Redis } = EmbeddedRedis

const one = { minConnections: 0, maxConnections: 1 } as const

/** A pool behind a proxy. */
const behind = <A, E, R>(
  options: RedisConfig.RedisOptions,
  test: (proxy: TcpProxy.TcpProxy) => Effect.Effect<A, E, R | Cache>
) =>
  Effect.gen(function*() {
    const proxy = yield* TcpProxy.make(yield* Redis)
    return yield* withCache(
      { host: proxy.host, port: proxy.port, minConnections: 0, retry: Schedule.spaced("50 millis"), ...options },
      test(proxy)
    )
  }).pipe(Effect.scoped)

const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None") return undefined
  const { reason } = error.value as { readonly reason?: { readonly _tag: string } }
  return reason?._tag
}

/** Sends a command that the server takes some time for, and waits until it is there. */
const startSlow = Effect.gen(function*() {
  const { clients } = yield* Redis
  const running = Effect.map(clients, (all) => all.filter(({ command }) => command === "blpop").length)
  const before = yield* running
  const fiber = yield* Effect.forkChild(
    Effect.exit(Cache.withConnection((redis) => redis.command("BLPOP", "nothing", 20)))
  )
  yield* eventually("it runs", Effect.map(running, (now) => now > before))
  return fiber
})

const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([took, value]) => ({ took: Duration.toMillis(took), value }))

describe("faults of the network", () => {
  layer(EmbeddedRedis.layer(), { excludeTestServices: true })((it) => {
    it.effect("a reset of idle connections is unknown to the next borrower", () =>
      behind({ maxConnections: 3 }, (proxy) =>
        Effect.gen(function*() {
          yield* Effect.all([startPing, startPing, startPing], { concurrency: "unbounded" })
          yield* proxy.cut
          yield* eventually("they are closed", Effect.map(Cache.stats, ({ counts }) => counts.closed === 3))
          assert.strictEqual(yield* Cache.ping(), "PONG")
          yield* Cache.set("after", "reset")
          assert.strictEqual(yield* Cache.get("after"), "reset")
        })))

    it.effect("a command whose answer has arrived while the program blocked its event loop does not fail", () =>
      behind({ maxConnections: 1, commandTimeout: "300 millis" }, (proxy) =>
        Effect.gen(function*() {
          yield* Cache.set("blocked", "loop")
          yield* proxy.delay("50 millis")
          const asked = yield* Effect.forkChild(Cache.get("blocked"), { startImmediately: true })
          yield* Effect.sleep(20)
          yield* Effect.sync(() => {
            const until = performance.now() + 1000
            while (performance.now() < until) continue
          })
          assert.strictEqual(yield* Fiber.join(asked), "loop")
        })))

    it.effect("a reset in the middle of a command is told to its caller alone, once", () =>
      behind({ maxConnections: 2 }, (proxy) =>
        Effect.gen(function*() {
          const slow = yield* startSlow
          yield* proxy.cut
          const exit = yield* Fiber.join(slow)
          assert.strictEqual(reasonOf(exit), "ConnectionLost")
          assert.include(String(Exit.findErrorOption(exit)), "ECONNRESET")
          for (let i = 0; i < 10; i++) assert.strictEqual(yield* Cache.ping(), "PONG")
        })))

    it.effect("who waits for ever behind a proxy that says nothing is told all the same", () =>
      behind(
        { maxConnections: 2, keepAlive: "1 second", commandTimeout: "500 millis" },
        (proxy) =>
          Effect.gen(function*() {
            const { clients } = yield* Redis
            const waiting = yield* Effect.forkChild(Effect.exit(Cache.blpop(["never"], "Infinity")))
            yield* eventually(
              "it waits",
              Effect.map(clients, (all) => all.some(({ command }) => command === "blpop"))
            )
            yield* proxy.blackhole(true)
            const exit = yield* Effect.timeout(Fiber.join(waiting), "5 seconds")
            assert.strictEqual(reasonOf(exit), "CommandTimeout")
            yield* proxy.blackhole(false)
          })
      ))

    it.effect("who waits for ever gets what comes after a while, and ends where somebody has the wait ended", () =>
      behind({ maxConnections: 2, keepAlive: "1 second", commandTimeout: "500 millis" }, () =>
        Effect.gen(function*() {
          const redis = yield* Redis
          const waiting = yield* Effect.forkChild(Cache.blpop(["late"], "Infinity"))
          yield* Effect.sleep("2500 millis")
          yield* redis.command("RPUSH", "late", "x")
          assert.deepStrictEqual(yield* Fiber.join(waiting), ["late", "x"])
          const ended = yield* Effect.forkChild(Cache.blpop(["late"], "Infinity"))
          yield* Effect.sleep("200 millis")
          const client = (yield* redis.clients).find(({ command }) => command === "blpop")
          yield* redis.command("CLIENT", "UNBLOCK", client!.id)
          assert.isUndefined(yield* Fiber.join(ended))
          assert.strictEqual((yield* Cache.stats).counts.opened, 1)
        })))

    it.effect("the end of one connection leaves the others untouched", () =>
      behind({ maxConnections: 2 }, () =>
        Effect.gen(function*() {
          const redis = yield* Redis
          const fibers = [yield* startSlow, yield* startSlow]
          const first = (yield* redis.clients).find(({ command }) => command === "blpop")
          yield* redis.command("CLIENT", "KILL", "ID", first!.id)
          const ended = yield* Effect.raceAllFirst(fibers.map((fiber) => Fiber.await(fiber)))
          assert.strictEqual(reasonOf(yield* ended), "ConnectionLost")
          yield* redis.command("RPUSH", "nothing", "x")
          const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
          assert.deepStrictEqual(exits.map((exit) => reasonOf(exit) ?? "ok").toSorted(), ["ConnectionLost", "ok"])
        })))

    for (const ending of ["fin", "reset"] as const) {
      it.effect(`the end of a connection in the middle of an answer (${ending}) is an error, and no answer is mistaken`, () =>
        behind(one, (proxy) =>
          Effect.gen(function*() {
            yield* Cache.set("large", "x".repeat(100_000))
            yield* Cache.set("small", "s")
            yield* proxy.cutAfter(5000, ending)
            const [large, small] = yield* Effect.all(
              [Effect.exit(Cache.get("large")), Effect.exit(Cache.get("small"))],
              {
                concurrency: "unbounded"
              }
            )
            assert.strictEqual(reasonOf(large), "ConnectionLost")
            assert.strictEqual(reasonOf(small), "ConnectionLost")
            yield* proxy.cutAfter(undefined)
            assert.strictEqual(yield* Cache.get("small"), "s")
            assert.strictEqual((yield* Cache.get("large"))?.length, 100_000)
          })))
    }

    it.effect("every place at which an answer may be cut gives an error or the right answer", () =>
      behind({ ...one, connectRate: 1000 }, (proxy) =>
        Effect.gen(function*() {
          yield* Cache.set("k", "value")
          const answer = "$5\r\nvalue\r\n+PONG\r\n:1\r\n"
          for (let bytes = 0; bytes <= answer.length; bytes++) {
            yield* Cache.ping().pipe(Effect.retry({ times: 5 }))
            yield* proxy.cutAfter(bytes, "fin")
            const [value, pong, count] = yield* Effect.all(
              [Effect.exit(Cache.get("k")), Effect.exit(Cache.ping()), Effect.exit(Cache.exists("k"))],
              { concurrency: "unbounded" }
            )
            yield* proxy.cutAfter(undefined)
            assert.deepStrictEqual(Exit.isSuccess(value) ? value.value : "value", "value", `${bytes}`)
            assert.deepStrictEqual(Exit.isSuccess(pong) ? pong.value : "PONG", "PONG", `${bytes}`)
            assert.deepStrictEqual(Exit.isSuccess(count) ? count.value : 1, 1, `${bytes}`)
            // The last byte tells nothing more.
            if (bytes < answer.length - 1) assert.isTrue(Exit.isFailure(count), `${bytes}`)
          }
        })))

    it.effect("silence in the middle of a command ends by commandTimeout, and its place is free", () =>
      behind({ ...one, commandTimeout: "300 millis" }, (proxy) =>
        Effect.gen(function*() {
          yield* Cache.ping()
          yield* proxy.blackhole(true)
          const { took, value } = yield* elapsed(Effect.exit(Cache.get("a")))
          assert.strictEqual(reasonOf(value), "CommandTimeout")
          assert.isAtLeast(took, 290)
          assert.isBelow(took, 5000)
          yield* proxy.blackhole(false)
          assert.strictEqual(yield* Cache.ping(), "PONG")
        })))

    it.effect("a connection that went silent while idle is replaced within validateTimeout and a dial", () =>
      behind({ ...one, freshnessWindow: 0, validateTimeout: "200 millis" }, (proxy) =>
        Effect.gen(function*() {
          yield* Cache.ping()
          yield* proxy.blackhole(true)
          const asked = yield* Effect.forkChild(elapsed(Cache.ping()))
          yield* Effect.sleep("250 millis")
          yield* proxy.blackhole(false)
          const { took, value } = yield* Fiber.join(asked)
          assert.strictEqual(value, "PONG")
          assert.isAtLeast(took, 190)
          const { retired } = (yield* Cache.stats).counts
          assert.strictEqual(retired.invalid, 1)
        })))

    it.effect("a server that is frozen while it is dialled is given up at connectTimeout", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* withCache(
          { ...one, connectTimeout: "300 millis", retry: Schedule.recurs(0) },
          Effect.gen(function*() {
            yield* redis.stop
            const { took, value } = yield* elapsed(Effect.exit(Cache.ping()))
            yield* redis.cont
            assert.strictEqual(reasonOf(value), "ConnectFailed")
            assert.isAtLeast(took, 290)
            assert.isBelow(took, 5000)
            yield* eventually("it is served", Effect.map(Effect.exit(Cache.ping()), Exit.isSuccess))
          })
        ).pipe(Effect.ensuring(redis.cont))
      }))

    it.effect("latency of 200 +- 100 ms makes no false alarm", () =>
      behind({ ...one, freshnessWindow: 0, healthCheck: "200 millis" }, (proxy) =>
        Effect.gen(function*() {
          yield* proxy.delay("50 millis", "100 millis")
          for (let i = 0; i < 8; i++) assert.strictEqual(yield* Cache.ping(), "PONG")
          const { counts } = yield* Cache.stats
          assert.deepStrictEqual([counts.opened, counts.closed], [1, 0])
        })))

    it.effect("an answer that takes long to arrive is no idle connection", () =>
      behind(
        { ...one, idleTimeout: "300 millis", freshnessWindow: 0, validateTimeout: "300 millis" },
        (proxy) =>
          Effect.gen(function*() {
            yield* Cache.set("large", "x".repeat(5000))
            yield* proxy.throttle(5000)
            const { took, value } = yield* elapsed(Cache.get("large"))
            assert.strictEqual(value?.length, 5000)
            assert.isAbove(took, 700)
            assert.strictEqual((yield* Cache.stats).counts.opened, 1)
          })
      ))

    it.effect("one byte at a time is understood", () =>
      behind(one, (proxy) =>
        Effect.gen(function*() {
          yield* proxy.slice(1)
          const value = "ä\r\n$-1\r\n:1\r\n".repeat(20)
          yield* Cache.set("sliced", value)
          yield* Cache.hset("hash", { a: "1", b: value })
          const [got, hash] = yield* Effect.all([Cache.get("sliced"), Cache.hgetAll("hash")], {
            concurrency: "unbounded"
          })
          assert.strictEqual(got, value)
          assert.deepStrictEqual({ ...hash }, { a: "1", b: value })
        })))

    it.effect("a close that nobody answers holds nobody up", () =>
      behind({ ...one, closeTimeout: "200 millis" }, (proxy) =>
        Effect.gen(function*() {
          yield* Cache.ping()
          yield* proxy.slowClose("1 minute")
          yield* Cache.retireAll
          const { took } = yield* elapsed(Cache.ping())
          assert.isBelow(took, 5000)
        })))

    it.effect("after an outage under load the first answer comes within one delay, without an old error", () =>
      behind(
        { maxConnections: 4, retry: Schedule.spaced("200 millis"), breaker: { minimumDials: 1000 } },
        (proxy) =>
          Effect.gen(function*() {
            const load = yield* Effect.forkChild(
              Effect.all(
                Array.from(
                  { length: 20 },
                  () => Effect.forever(Effect.andThen(Effect.exit(Cache.ping()), Effect.sleep(5)))
                ),
                { concurrency: "unbounded" }
              )
            )
            yield* eventually("served", Effect.map(Effect.exit(Cache.ping()), Exit.isSuccess))
            yield* proxy.down
            yield* eventually("not served", Effect.map(Effect.exit(Effect.timeout(Cache.ping(), 100)), Exit.isFailure))
            yield* Effect.sleep("500 millis")
            yield* proxy.up
            const { took } = yield* elapsed(Effect.retry(Cache.ping(), { times: 100 }))
            assert.isBelow(took, 3000)
            for (let i = 0; i < 20; i++) assert.strictEqual(yield* Cache.ping(), "PONG")
            yield* Fiber.interrupt(load)
          })
      ))

    it.effect("line breaks in keys and values are data", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* redis.command("SET", "victim", "alive")
        yield* withCache(
          one,
          Effect.gen(function*() {
            const key = "a\r\nDEL victim\r\n"
            yield* Cache.set(key, "1\r\n+OK\r\n")
            assert.strictEqual(yield* Cache.get(key), "1\r\n+OK\r\n")
            assert.strictEqual(yield* Cache.command("ECHO", "\r\n$4\r\n"), "\r\n$4\r\n")
            assert.strictEqual(yield* Cache.get("victim"), "alive")
          })
        )
      }))

    it.effect("a server that takes no more clients is waited for", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* redis.command("CONFIG", "SET", "maxclients", 4)
        yield* withCache(
          { minConnections: 0, maxConnections: 10, sharing: 1, retry: Schedule.spaced("50 millis") },
          Effect.gen(function*() {
            const busy = Cache.withConnection((redis) => Effect.andThen(redis.ping(), Effect.sleep("100 millis")))
            const exits = yield* Effect.all(Array.from({ length: 12 }, () => Effect.exit(busy)), {
              concurrency: "unbounded"
            })
            // Those that got in serve the others.
            assert.deepStrictEqual(exits.filter(Exit.isFailure).map(reasonOf), [])
            const { counts, limit, limitedBy } = yield* Cache.stats
            assert.isAtMost(counts.opened, 4)
            assert.strictEqual(limitedBy, "server")
            assert.isAtMost(limit, counts.opened)
            assert.isAbove(counts.failedToOpen, 0)
          })
        ).pipe(
          Effect.ensuring(Effect.orDie(Effect.retry(redis.command("CONFIG", "SET", "maxclients", 1000), {
            schedule: Schedule.spaced("50 millis"),
            times: 100
          })))
        )
      }))
  })
})

const startPing = Cache.withConnection((redis) => Effect.andThen(redis.ping(), Effect.sleep("50 millis")))

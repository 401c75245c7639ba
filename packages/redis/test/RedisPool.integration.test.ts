import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import * as TestCertificate from "@effect-pools/testing/TestCertificate"
import { RedisError } from "@effect-pools/redis"
import { PoolError } from "@effect-pools/core/PoolError"
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Ref, Result } from "effect"
import { Cache, eventually, misuseOf, withCache } from "./support.ts"

const one = { minConnections: 1, maxConnections: 1 } as const

const myId = Cache.withConnection((redis) => Effect.succeed(redis.clientId))

const reasonOf = (error: unknown): string | undefined =>
  error instanceof RedisError.RedisError ? error.reason._tag : undefined

/** What the dial failed with that a pool could not start without. */
const dialFailure = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!(error instanceof PoolError) || error.reason._tag !== "ConnectFailed") return assert.fail(String(error))
    const { cause } = error.reason
    if (!(cause instanceof RedisError.RedisError) || cause.reason._tag !== "DialFailed") {
      return assert.fail(String(cause))
    }
    return { error, attempts: error.reason.attempts, dial: cause.reason }
  })

const settings = { "enable-debug-command": "local" }

layer(EmbeddedRedis.layer({ settings, tls: true, password: "s3cret-pass" }), {
  excludeTestServices: true,
  timeout: "2 minutes"
})("RedisPool", (it) => {
  it.effect("a lease that left nothing behind costs nothing, and its connection is lent again", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const id = yield* myId
        yield* Cache.withConnection((redis) => Effect.andThen(redis.set("a", "1"), redis.multi((r) => [r.get("a")])))
        const server = yield* EmbeddedRedis.EmbeddedRedis
        yield* server.command("CONFIG", "RESETSTAT")
        assert.strictEqual(yield* myId, id)
        const stats = String(yield* server.command("INFO", "commandstats"))
        assert.notMatch(stats, /cmdstat_(select|discard|unwatch|reset|ping)/)
      })
    ))

  it.effect("SELECT, MULTI and WATCH of one borrower are gone for the next, on the same connection", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const id = yield* myId
        yield* Cache.set("k", "0")
        yield* Cache.withConnection((redis) => redis.command("SELECT", 3))
        assert.strictEqual(yield* Cache.get("k"), "0")
        yield* Cache.withConnection((redis) => Effect.andThen(redis.command("MULTI"), redis.command("SET", "k", "1")))
        assert.strictEqual(yield* Cache.get("k"), "0")
        yield* Cache.withConnection((redis) => redis.watch("k"))
        const server = yield* EmbeddedRedis.EmbeddedRedis
        yield* server.command("SET", "k", "2")
        yield* Cache.multi((redis) => [redis.set("k", "3")])
        assert.strictEqual(yield* Cache.get("k"), "3")
        assert.strictEqual(yield* myId, id)
      })
    ))

  it.effect("what can't be undone costs the connection", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const before = yield* Ref.make(yield* myId)
        const stains: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
          ["SUBSCRIBE", "channel"],
          ["MONITOR"],
          ["CLIENT", "SETNAME", "other"],
          ["CLIENT", "NO-EVICT", "ON"],
          ["READONLY"]
        ]
        for (const [name, ...args] of stains) {
          yield* Effect.ignore(Cache.withConnection((redis) => redis.command(name, ...args)))
          const now = yield* myId
          assert.notStrictEqual(now, yield* Ref.getAndSet(before, now), name)
        }
        const kept = yield* Ref.get(before)
        yield* Cache.withConnection((redis) => redis.command("CLIENT", "INFO"))
        assert.strictEqual(yield* myId, kept)
      })
    ))

  it.effect("a connection is not lent on with answers still to come", () =>
    withCache(
      { ...one, resetTimeout: "5 seconds" },
      Effect.gen(function*() {
        const id = yield* myId
        yield* Cache.set("a", "1")
        const slow = Cache.withConnection((redis) =>
          Effect.andThen(redis.command("DEBUG", "SLEEP", "0.3"), redis.get("x"))
        )
        yield* Effect.exit(Effect.timeout(slow, "50 millis"))
        assert.strictEqual(yield* Cache.withConnection((redis) => redis.get("a")), "1")
        assert.strictEqual(yield* myId, id)
      })
    ))

  it.effect("a connection whose answers do not come in time is replaced", () =>
    withCache(
      { ...one, resetTimeout: "50 millis" },
      Effect.gen(function*() {
        const id = yield* myId
        const slow = Cache.withConnection((redis) => redis.command("DEBUG", "SLEEP", "0.5"))
        yield* Effect.exit(Effect.timeout(slow, "20 millis"))
        assert.strictEqual(yield* Cache.withConnection((redis) => redis.echo("mine")), "mine")
        assert.notStrictEqual(yield* myId, id)
      })
    ))

  it.effect("a sharer that gives up leaves the answers of the others to them", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const slow = yield* Effect.forkChild(Cache.command("DEBUG", "SLEEP", "0.2"), { startImmediately: true })
        const others = yield* Effect.forkChild(
          Effect.all(Array.from({ length: 20 }, (_, i) => Cache.echo(`${i}`)), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(slow)
        assert.deepStrictEqual(yield* Fiber.join(others), Array.from({ length: 20 }, (_, i) => `${i}`))
      })
    ))

  it.effect("10,000 commands at once each get their own answer, on few connections", () =>
    withCache(
      { minConnections: 1, maxConnections: 4, pendingLimit: 10_000 },
      Effect.gen(function*() {
        const answers = yield* Effect.all(
          Array.from({ length: 10_000 }, (_, i) => Cache.echo(`answer ${i}`)),
          { concurrency: "unbounded" }
        )
        answers.forEach((answer, i) => assert.strictEqual(answer, `answer ${i}`))
        const { counts } = yield* Cache.stats
        assert.isAtMost(counts.opened, 4)
      })
    ))

  it.effect("sharing says how many commands are on one connection, 1 that each is alone", () =>
    Effect.gen(function*() {
      const most = (sharing: number) =>
        withCache(
          { ...one, sharing },
          Effect.gen(function*() {
            const server = yield* EmbeddedRedis.EmbeddedRedis
            yield* server.command("DEL", "list")
            // Behind a slow command they queue up, at the server or in the pool.
            const fibers = yield* Effect.forkChild(
              Effect.all([
                Cache.command("DEBUG", "SLEEP", "0.2"),
                ...Array.from({ length: 9 }, () => Cache.ping())
              ], { concurrency: "unbounded" }),
              { startImmediately: true }
            )
            const { pending } = yield* Cache.stats
            yield* Fiber.join(fibers)
            return pending
          })
        )
      assert.strictEqual(yield* most(1), 9)
      assert.strictEqual(yield* most(4), 6)
      assert.strictEqual(yield* most(128), 0)
    }))

  it.effect("a command that needs a connection for itself is refused on a shared one", () =>
    withCache(
      { minConnections: 1, maxConnections: 2 },
      Effect.gen(function*() {
        const refused = Effect.forEach(
          ["MULTI", "WATCH", "SELECT", "SUBSCRIBE", "MONITOR", "BLPOP", "AUTH", "HELLO", "RESET", "WAIT"],
          (name) => Effect.exit(Cache.withShared((redis) => redis.command(name, "1", "1")))
        )
        for (const exit of yield* refused) assert.include(misuseOf(exit) ?? "", "needs a connection to itself")
        const blocking = Cache.withShared((redis) => redis.xread({ x: "$" }, { block: "1 second" }))
        assert.isDefined(misuseOf(yield* Effect.exit(blocking)))
        assert.deepStrictEqual(yield* Cache.withShared((redis) => redis.xread({ x: "0" })), {})
      })
    ))

  it.effect("what a connection that listens may not be asked, the server refuses, and the connection is replaced", () =>
    withCache(
      { minConnections: 1, maxConnections: 1 },
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          Cache.withConnection((redis) => Effect.andThen(redis.command("SUBSCRIBE", "c"), redis.get("a")))
        )
        assert(error._tag === "RedisError" && error.reason._tag === "CommandFailed")
        assert.strictEqual(error.command, "GET")
        yield* Cache.set("a", "b")
        assert.strictEqual(yield* Cache.get("a"), "b")
        assert.strictEqual((yield* Cache.stats).counts.opened, 2)
      })
    ))

  it.effect("a command that blocks holds only its own connection", () =>
    withCache(
      { minConnections: 0, maxConnections: 2 },
      Effect.gen(function*() {
        yield* Cache.del("queue")
        const waiting = yield* Effect.forkChild(Cache.blpop(["queue"], "Infinity"), { startImmediately: true })
        const server = yield* EmbeddedRedis.EmbeddedRedis
        yield* eventually(
          "it blocks",
          Effect.map(server.clients, (all) => all.some(({ command }) => command === "blpop"))
        )
        yield* Cache.rpush("queue", "job")
        assert.deepStrictEqual(yield* Fiber.join(waiting), ["queue", "job"])
      })
    ))

  it.effect("an interrupted command that blocks ends at the server, with its connection", () =>
    withCache(
      { minConnections: 0, maxConnections: 2 },
      Effect.gen(function*() {
        const server = yield* EmbeddedRedis.EmbeddedRedis
        yield* Cache.del("queue")
        const blocked = Effect.map(server.clients, (all) => all.some(({ command }) => command === "blpop"))
        const waiting = yield* Effect.forkChild(Cache.blpop(["queue"], "Infinity"), { startImmediately: true })
        yield* eventually("it blocks", blocked)
        yield* Fiber.interrupt(waiting)
        yield* eventually("nobody blocks", Effect.map(blocked, (is) => !is))
        yield* Cache.rpush("queue", "job")
        assert.strictEqual(yield* Cache.llen("queue"), 1)
      })
    ))

  it.effect("after an interrupted one the same lease is told that its connection is gone", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const error = yield* Cache.withConnection((redis) =>
          Effect.andThen(Effect.timeoutOption(redis.blpop(["none"], "Infinity"), "20 millis"), redis.get("a"))
        ).pipe(Effect.flip)
        assert.strictEqual(reasonOf(error), "ConnectionLost")
        assert.strictEqual(yield* Cache.echo("next"), "next")
      })
    ))

  it.effect("a command after the lease is a defect, and reaches nobody", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const kept = yield* Cache.withConnection(Effect.succeed)
        for (
          const use of [
            kept.set("stolen", "1"),
            kept.pipeline((redis) => [redis.set("stolen", "1")]),
            kept.multi((redis) => [redis.set("stolen", "1")]),
            kept.script("return 1")
          ]
        ) {
          assert.include(misuseOf(yield* Effect.exit<unknown, unknown, never>(use)) ?? "", "after its lease ended")
        }
        assert.strictEqual(yield* Cache.exists("stolen"), 0)
      })
    ))

  it.effect("a command without an answer fails at commandTimeout, and its connection is replaced", () =>
    withCache(
      { ...one, commandTimeout: "400 millis" },
      Effect.gen(function*() {
        const id = yield* myId
        const slow = Effect.flip(Cache.command("DEBUG", "SLEEP", "2"))
        const [error, other] = yield* Effect.all([slow, Effect.flip(Cache.get("a"))], { concurrency: "unbounded" })
        assert.strictEqual(reasonOf(error), "CommandTimeout")
        assert.include(["CommandTimeout", "ConnectionLost"], reasonOf(other))
        yield* eventually("the pool serves again", Effect.map(Effect.exit(Cache.ping()), Exit.isSuccess))
        assert.notStrictEqual(yield* myId, id)
        // A command that blocks has a time of its own.
        assert.strictEqual(yield* Cache.blpop(["none"], "600 millis"), undefined)
      })
    ))

  it.effect("the options of the login reach the server", () =>
    withCache(
      { ...one, db: 5, clientName: "named", family: 4, keepAlive: "5 seconds" },
      Effect.gen(function*() {
        const server = yield* EmbeddedRedis.EmbeddedRedis
        yield* Cache.set("only in five", "5")
        const mine = (yield* server.clients).find(({ name }) => name === "named")
        assert.strictEqual(mine?.db, 5)
        const [connection] = yield* Cache.connections
        assert.strictEqual(connection?.tags["clientId"], String(mine?.id))
        assert.strictEqual(connection?.tags["db"], "5")
        assert.isUndefined(yield* server.command("GET", "only in five").pipe(Effect.map((reply) => reply ?? undefined)))
      })
    ))

  it.effect("a wrong password ends the round of attempts, and is not shown", () =>
    Effect.gen(function*() {
      const { port } = yield* EmbeddedRedis.EmbeddedRedis
      const password = Redacted.make("wrong-s3cret")
      const failed = yield* dialFailure(withCache({ ...one, host: "127.0.0.1", port, password }, Cache.ping()))
      assert.strictEqual(failed.attempts, 1)
      assert.strictEqual(failed.dial.code, "WRONGPASS")
      assert.isFalse(failed.error.isRetryable)
      assert.notInclude(`${failed.error}${JSON.stringify(failed.error)}`, "wrong-s3cret")
      const without = yield* dialFailure(withCache({ ...one, host: "127.0.0.1", port }, Cache.ping()))
      assert.strictEqual(without.dial.code, "NOAUTH")
      // The pool's diagnosis goes by this.
      assert.deepStrictEqual([failed.dial.refusal, without.dial.refusal], ["credentials", "credentials"])
    }))

  it.effect("a password that rotates is asked for at each dial", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.EmbeddedRedis
      const dials = yield* Ref.make(0)
      const password = Effect.as(Ref.update(dials, (n) => n + 1), Redacted.make("s3cret-pass"))
      yield* withCache(
        { ...one, host: "127.0.0.1", port: server.port, password },
        Effect.gen(function*() {
          yield* Cache.ping()
          yield* Cache.retireAll
          yield* eventually("there is another", Effect.map(Ref.get(dials), (n) => n === 2))
          yield* Cache.ping()
        })
      )
    }))

  it.effect("a user of the access list may do what the list says", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.EmbeddedRedis
      yield* server.command("ACL", "SETUSER", "reader", "on", ">p@ss w/ord", "~*", "+get", "+ping")
      const url = Redacted.make(`redis://reader:p%40ss%20w%2Ford@127.0.0.1:${server.port}`)
      yield* withCache(
        { ...one, url },
        Effect.gen(function*() {
          assert.isUndefined(yield* Cache.get("none"))
          const error = yield* Effect.flip(Cache.set("key-of-mine", "1"))
          assert.isTrue(
            error._tag === "RedisError" && error.reason._tag === "CommandFailed" && error.reason.code === "NOPERM"
          )
          assert.notInclude(error.message, "key-of-mine")
        })
      )
    }))

  it.effect("TLS verifies the server's certificate", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.EmbeddedRedis
      const address = { host: "localhost", port: server.tlsPort, password: Redacted.make("s3cret-pass") }
      yield* withCache(
        { ...one, ...address, tls: { ca: TestCertificate.certificate } },
        Effect.map(Cache.ping(), (answer) => assert.strictEqual(answer, "PONG"))
      )
      const failed = yield* dialFailure(withCache({ ...one, ...address, tls: true }, Cache.ping()))
      assert.strictEqual(failed.attempts, 1)
      assert.match(failed.dial.code ?? "", /SELF_SIGNED|UNABLE_TO/)
      const url = Redacted.make(`rediss://:s3cret-pass@localhost:${server.tlsPort}`)
      assert.match((yield* dialFailure(withCache({ url }, Cache.ping()))).dial.code ?? "", /SELF_SIGNED|UNABLE_TO/)
    }))

  it.effect("a server that is full is tried again", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make({ settings: { maxclients: 3 } })
      const address = { host: "127.0.0.1", port: server.port }
      const pools = withCache(
        { ...address, minConnections: 3, maxConnections: 10 },
        Effect.gen(function*() {
          const fails = yield* dialFailure(
            withCache({ ...address, ...one, startupTimeout: "20 seconds" }, Cache.ping())
          )
          assert.isTrue(fails.dial.isRetryable, fails.dial.description)
          assert.isAbove(fails.attempts, 1)
        })
      )
      yield* Effect.scoped(pools)
    }).pipe(Effect.scoped), 30_000)

  it.effect("a refused write says that the server is a replica now, and its connection is replaced", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make()
      yield* withCache(
        { ...one, host: "127.0.0.1", port: server.port },
        Effect.gen(function*() {
          const id = yield* myId
          yield* server.command("REPLICAOF", "127.0.0.1", "1")
          const error = yield* Effect.flip(Cache.set("a", "1"))
          assert.strictEqual(reasonOf(error), "ReadOnly")
          assert.isTrue(error.isRetryable)
          assert.notStrictEqual(yield* myId, id)
          yield* server.command("REPLICAOF", "NO", "ONE")
          assert.isTrue(yield* Cache.set("a", "1"))
        })
      )
    }).pipe(Effect.scoped))

  it.effect("an idle connection that the server ends is replaced at once", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const server = yield* EmbeddedRedis.EmbeddedRedis
        const id = yield* myId
        yield* server.command("CLIENT", "KILL", "ID", id ?? 0)
        yield* eventually(
          "there is another",
          Effect.map(Cache.connections, (all) =>
            all.some(({ state, tags }) => state === "idle" && tags["clientId"] !== String(id)))
        )
        assert.strictEqual(yield* Cache.ping(), "PONG")
      })
    ))

  it.effect("a command on a connection that ends says whether it was sent", () =>
    withCache(
      one,
      Effect.gen(function*() {
        const server = yield* EmbeddedRedis.EmbeddedRedis
        const [first, second] = yield* Cache.withConnection((redis) =>
          Effect.gen(function*() {
            const blocked = yield* Effect.forkChild(Effect.flip(redis.blpop(["none"], "Infinity")), {
              startImmediately: true
            })
            yield* eventually(
              "it blocks",
              Effect.map(server.clients, (all) => all.some(({ command }) => command === "blpop"))
            )
            yield* server.command("CLIENT", "KILL", "ID", redis.clientId ?? 0)
            return [yield* Fiber.join(blocked), yield* Effect.flip(redis.get("a"))] as const
          })
        )
        assert.isTrue(first.reason._tag === "ConnectionLost" && first.reason.wasSent)
        assert.isTrue(second.reason._tag === "ConnectionLost" && !second.reason.wasSent)
      })
    ))

  it.effect("statics are the commands, and take a connection of their own where they need one", () =>
    withCache(
      { minConnections: 0, maxConnections: 2 },
      Effect.gen(function*() {
        assert.isTrue(yield* Cache.set("static", "1", { ttl: "1 minute" }))
        assert.deepStrictEqual(yield* Cache.mget(["static", "none"]), ["1", undefined])
        const [n] = yield* Cache.multi((redis) => [redis.incr("static")])
        assert.deepStrictEqual(n, Result.succeed(2))
        const [, m] = yield* Cache.pipeline((redis) => [redis.get("static"), redis.incr("static")])
        assert.deepStrictEqual(m, Result.succeed(3))
        assert.strictEqual(yield* Cache.script("return redis.call('GET', KEYS[1])", { keys: ["static"] }), "3")
        for (const useless of [Cache.command("SELECT", 4), Cache.watch("static"), Cache.command("MULTI")]) {
          assert.include(misuseOf(yield* Effect.exit<unknown, unknown, Cache>(useless)), "withConnection")
        }
        assert.strictEqual(yield* Cache.get("static"), "3")
        assert.isDefined(misuseOf(yield* Effect.exit(Cache.withShared((redis) => redis.command("SELECT", 4)))))
      })
    ))
})

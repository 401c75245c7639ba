import { ClusterScript, Consistency, PostgresCluster, PostgresPool } from "@effect-pools/postgres"
import { type PoolEvent, Traffic } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Deferred, type Duration, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { interruptedBefore } from "./fixtures/givingWay.ts"

class Db extends PostgresCluster.Service<Db>()("app/Db") {}

const rows = (statement: string) => statement.startsWith("SELECT") ? [{ n: 1 }] : []

const withScript = <A, E, R>(
  replicas: number,
  test: (script: ClusterScript.ClusterScript) => Effect.Effect<A, E, R>,
  options: Partial<PostgresCluster.ClusterOptions> = {}
) =>
  Effect.suspend(() => {
    const script = ClusterScript.make(rows, { replicas })
    return Effect.provide(test(script), Db.layerTest(script, options))
  })

const servers = (script: ClusterScript.ClusterScript, text: string) =>
  script.statements.filter((statement) => statement.text === text).map(({ server }) => server)

const write = Db.query`INSERT INTO t VALUES (1)`
const read = Db.read`SELECT n FROM t`

/** Runs an effect and lets the clock go on, a little at a time, until it is done. */
const moved = <A, E, R>(effect: Effect.Effect<A, E, R>, by: Duration.Input = "5 millis") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(by)
    return yield* Fiber.join(fiber)
  })

const refusal = (options: PostgresCluster.ClusterOptions) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(Db.layer(options)))), String)

const a = Redacted.make("postgres://app:secret@a/app")
const b = Redacted.make("postgres://app:secret@b/app")

describe("PostgresCluster", () => {
  it.effect("reads take turns on the replicas, and a transaction has its reads on the primary", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        yield* Effect.all([read, read, read, read])
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [1, 2, 1, 2])
        yield* Db.transaction(read)
        assert.strictEqual(servers(script, "SELECT n FROM t").at(-1), 0)
      })))

  it.effect("several statements of a read are one read-only transaction on one server", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        yield* Db.read((sql) => Effect.andThen(sql`SELECT 1`, sql`SELECT 2`))
        assert.deepStrictEqual(
          script.statements.map(({ server, text }) => [server, text]),
          [[1, "BEGIN READ ONLY"], [1, "SELECT 1"], [1, "SELECT 2"], [1, "COMMIT"]]
        )
      })))

  it.effect("a serializable read runs on the primary", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        yield* Db.read((sql) => sql`SELECT n FROM t`, { isolation: "serializable" })
        assert.deepStrictEqual(servers(script, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"), [0])
      })))

  it.effect("a write inside a read is refused on a replica and on the primary alike", () =>
    withScript(1, () =>
      Effect.gen(function*() {
        for (const consistency of ["eventual", "primary"] as const) {
          const error = yield* Effect.flip(Db.read((sql) => sql`INSERT INTO t VALUES (1)`, { consistency }))
          assert.include(String((error as { readonly cause: unknown }).cause), "25006")
        }
      })))

  it.effect("a session reads its write from the replica that has it, and from the primary if none has", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        script.lag(1, "5 seconds")
        const session = Consistency.session(Effect.andThen(write, read))
        yield* Effect.all(Array.from({ length: 3 }, () => moved(session)))
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [2, 2, 2])
        script.lag(2, "5 seconds")
        yield* moved(session)
        assert.strictEqual(servers(script, "SELECT n FROM t").at(-1), 0)
        yield* moved(Consistency.session(read))
        assert.notStrictEqual(servers(script, "SELECT n FROM t").at(-1), 0)
        yield* moved(
          Consistency.session(
            Effect.andThen(write, Db.read((sql) => sql`SELECT n FROM t`, { consistency: "eventual" }))
          )
        )
        assert.notStrictEqual(servers(script, "SELECT n FROM t").at(-1), 0)
      })))

  it.effect("callers without a session see the writes of all callers without one", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        script.lag(1, "5 seconds")
        yield* write
        yield* moved(read)
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [0])
        // A session does not wait for others.
        yield* moved(Consistency.session(read))
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [0, 1])
      })))

  it.effect("a session stays with its replica, so that its reads never step back", () =>
    withScript(3, (script) =>
      Effect.gen(function*() {
        yield* Consistency.session(Effect.all(Array.from({ length: 5 }, () => read)))
        assert.strictEqual(new Set(servers(script, "SELECT n FROM t")).size, 1)
      })))

  it.effect("a session leaves its replica when a probe of that has failed, for one that is as far", () =>
    withScript(2, (script) =>
      Consistency.session(Effect.gen(function*() {
        yield* read
        const [first] = servers(script, "SELECT n FROM t")
        script.fail(first!)
        // One probe has failed: the replica is not out yet.
        yield* TestClock.adjust("1050 millis")
        assert.isTrue((yield* Db.nodes)[first!]?.isIn)
        yield* read
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [first, first === 1 ? 2 : 1])
      }))))

  it.effect("in ten idle minutes no replica is out", () =>
    withScript(3, () =>
      Effect.gen(function*() {
        for (let minute = 0; minute < 10; minute += 2) {
          yield* TestClock.adjust("2 minutes")
          const nodes = yield* Db.nodes
          assert.deepStrictEqual(nodes.map(({ isIn, lag }) => [isIn, lag]), [
            [false, undefined],
            [true, 0],
            [true, 0],
            [true, 0]
          ])
        }
      })))

  it.effect("a replica above maxLag is out until it is below half of it", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        const isIn = Effect.map(Db.nodes, ([, node]) => node?.isIn)
        // Somebody writes all the time.
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(write, Effect.sleep("500 millis"))))
        script.lag(1, "12 seconds")
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(yield* isIn)
        yield* TestClock.adjust("15 seconds")
        assert.isFalse(yield* isIn)
        assert.include((yield* Db.health).warnings.map(({ message }) => message).join(), "maxLag 10000 ms")
        script.lag(1, "7 seconds")
        yield* TestClock.adjust("20 seconds")
        assert.isFalse(yield* isIn)
        script.lag(1, "1 second")
        yield* TestClock.adjust("20 seconds")
        assert.isTrue(yield* isIn)
      }).pipe(Effect.scoped)))

  it.effect("a replica that fails three probes is out, and in again when it answers", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        script.fail(1)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual((yield* Db.nodes).map(({ isIn }) => isIn), [false, false, true])
        yield* Effect.all([read, read])
        assert.deepStrictEqual(servers(script, "SELECT n FROM t"), [2, 2])
        script.revive(1)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual((yield* Db.nodes).map(({ isIn }) => isIn), [false, true, true])
      })))

  it.effect("a replica that is promoted takes the writes, SqlClient's too, and callers wait for it", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        yield* write
        script.fail(0)
        yield* TestClock.adjust("2 seconds")
        script.promote(2)
        yield* TestClock.adjust("1 second")
        yield* write
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO t VALUES (1)`
        assert.deepStrictEqual(servers(script, "INSERT INTO t VALUES (1)"), [0, 2, 2])
        const roles = yield* Effect.map(Db.nodes, (nodes) => nodes.map(({ role }) => role))
        assert.deepStrictEqual(roles, ["stray", "replica", "primary"])
      })))

  it.effect("who takes the writes is told as an event and in the numbers: who it was, who it is, in which timeline", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        const name = (server: number) => `app/Db/server-${server}:5432`
        const told: Array<PoolEvent.PoolEvent> = []
        yield* Effect.forkScoped(
          Stream.runForEach(Db.events, (event) =>
            Effect.sync(() => void (event._tag === "PrimaryChanged" && told.push(event)))),
          { startImmediately: true }
        )
        assert.deepInclude((yield* Db.stats).primary, { name: name(0), before: undefined, timeline: 1, changes: 0 })
        script.fail(0)
        yield* TestClock.adjust("5 seconds")
        script.promote(2)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(told.length, 1)
        assert.deepInclude(told[0], { _tag: "PrimaryChanged", pool: "app/Db", from: name(0), to: name(2), timeline: 2 })
        const { primary } = yield* Db.stats
        assert.deepInclude(primary, { name: name(2), before: name(0), timeline: 2, changes: 1 })
        assert.isAtLeast(primary?.since ?? 0, 5_000)
        // A failover by hand may leave a moment without any.
        script.servers[2]!.isStandby = true
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(told.at(-1), { from: name(2), to: undefined })
        assert.deepInclude((yield* Db.stats).primary, { name: undefined, before: name(2), changes: 2 })
      }).pipe(Effect.scoped)))

  it.effect("a read that waits for a connection of a replica goes to another one when that fails or falls behind", () =>
    Effect.suspend(() => {
      const gate = Deferred.makeUnsafe<void>()
      const script = ClusterScript.make(
        (statement, _, server) =>
          statement === "SELECT long" && server === 1
            ? Effect.as(Deferred.await(gate), [])
            : statement.startsWith("SELECT")
            ? Effect.as(Effect.sleep("50 millis"), [{ n: server }])
            : [],
        { replicas: 2 }
      )
      return Effect.gen(function*() {
        const long = yield* Effect.forkChild(Db.read`SELECT long`, { startImmediately: true })
        yield* moved(Db.read`SELECT long`)
        // Both replicas have one connection, and that of the first is lent.
        const waiting = yield* Effect.forkChild(
          Effect.all(Array.from({ length: 3 }, () => Db.read`SELECT n`), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 second")
        const [, first] = yield* Db.nodes
        assert.strictEqual(first?.stats.pending, 1)
        script.fail(1)
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* Fiber.join(waiting), [[{ n: 2 }], [{ n: 2 }], [{ n: 2 }]])
        Deferred.doneUnsafe(gate, Effect.void)
        yield* Fiber.join(long)
      }).pipe(Effect.provide(Db.layerTest(script, { maxConnections: 1, consistency: "eventual" })))
    }))

  it.effect("a single read that would write is read-only on a replica too, which may be the primary by now", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        yield* Effect.flip(Db.read`DELETE FROM t`)
        assert.deepStrictEqual(servers(script, "BEGIN READ ONLY"), [1])
      })))

  it.effect("a read that was interrupted, at whatever step, takes nothing of primaryShare", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        script.fail(1)
        yield* TestClock.adjust("5 seconds")
        let before = 0
        let wasReached = true
        while (wasReached) {
          wasReached = yield* interruptedBefore(++before, read)
          assert.deepStrictEqual(yield* read, [{ n: 1 }], `before operation ${before}`)
        }
        assert.isAbove(before, 10)
      }), { maxConnections: 1, consistency: "eventual" }))

  it.effect("a read has a label", () =>
    Effect.suspend(() => {
      const script = ClusterScript.make(() => Effect.as(Effect.sleep("10 millis"), []), { replicas: 1 })
      return Effect.gen(function*() {
        for (const consistency of ["eventual", "primary"] as const) {
          const reading = yield* Effect.forkChild(
            Db.read((sql) => sql`SELECT n FROM t`, { label: "GET /t", consistency }),
            { startImmediately: true }
          )
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual((yield* Db.connections).map(({ label }) => label), ["GET /t"])
          yield* moved(Fiber.join(reading))
          yield* Db.retireAll
        }
      }).pipe(Effect.provide(Db.layerTest(script)))
    }))

  it.effect("of two primaries the one of the later timeline takes the writes, also when it is gone again", () =>
    withScript(2, (script) =>
      Effect.gen(function*() {
        script.promote(1)
        yield* TestClock.adjust("2 seconds")
        yield* write
        assert.deepStrictEqual(servers(script, "INSERT INTO t VALUES (1)"), [1])
        script.fail(1)
        yield* TestClock.adjust("10 seconds")
        yield* moved(Effect.flip(write), "1 second")
        assert.notInclude(servers(script, "INSERT INTO t VALUES (1)"), 0)
      })))

  it.effect("without a primary callers wait, and are told why none takes writes", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        script.servers[0]!.isStandby = true
        yield* TestClock.adjust("2 seconds")
        const error = yield* moved(Effect.flip(write), "1 second")
        assert.include(error.message, "the cluster has no primary: no server says that it is the primary")
        assert.strictEqual((yield* Db.health).status, "unhealthy")
      })))

  it.effect("a token that would not have the last writes is none", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        yield* write
        script.fail(0)
        const error = yield* moved(Effect.flip(Db.token), "1 second")
        assert.match(error.message, /the cluster has no primary: it does not answer/)
      })))

  it.effect("1000 equal reads at once are one statement, and other reads are others", () =>
    Effect.suspend(() => {
      const script = ClusterScript.make(() => Effect.as(Effect.sleep("10 millis"), [{ n: 1 }]), { replicas: 2 })
      const together = <A, E, R>(reads: ReadonlyArray<Effect.Effect<A, E, R>>) =>
        moved(Effect.all(reads, { concurrency: "unbounded" }))
      return Effect.gen(function*() {
        const all = yield* together(Array.from({ length: 1000 }, () => read))
        assert.strictEqual(servers(script, "SELECT n FROM t").length, 1)
        assert.strictEqual(new Set(all).size, 1)
        assert.isTrue(Object.isFrozen(all[0]) && Object.isFrozen(all[0]?.[0]))
        yield* together([1, 1, "1", 1n, null].map((id) => Db.read`SELECT n FROM t WHERE id = ${id}`))
        assert.strictEqual(servers(script, "SELECT n FROM t WHERE id = $1").length, 4)
        const of = (affinity: string) => Traffic.with(read, { affinity })
        yield* together([of("a"), of("a"), of("b")])
        assert.strictEqual(servers(script, "SELECT n FROM t").length, 3)
        // One after the other they are not at once.
        yield* moved(Effect.all([read, read]))
        assert.strictEqual(servers(script, "SELECT n FROM t").length, 5)
      }).pipe(Effect.provide(Db.layerTest(script, { dedupe: true })))
    }))

  it.effect("of equal reads the interruption of one, the first included, ends no other's", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        const first = yield* Effect.forkChild(read, { startImmediately: true })
        const second = yield* Effect.forkChild(read, { startImmediately: true })
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual(yield* Fiber.join(second), [{ n: 1 }])
        assert.strictEqual(servers(script, "SELECT n FROM t").length, 1)
      }), { dedupe: true }))

  it.effect("from level 2 of degradation on equal reads are run once, unless it is told otherwise", () =>
    Effect.suspend(() => {
      const script = ClusterScript.make(() => Effect.as(Effect.sleep("10 millis"), [{ n: 1 }]), { replicas: 1 })
      const statements = (one = read) =>
        Effect.gen(function*() {
          const before = script.statements.length
          yield* moved(Effect.all([one, one, one], { concurrency: "unbounded" }))
          return script.statements.length - before
        })
      const alone = Db.read((sql) => sql<{ n: number }>`SELECT n FROM t`, { dedupe: false })
      const counted = Effect.gen(function*() {
        const counts = []
        for (const level of [1, 2, 0] as const) {
          yield* Db.degrade(level)
          yield* TestClock.adjust("1 milli")
          counts.push(yield* statements(Traffic.high(read)))
          if (level === 2) counts.push(yield* statements(Traffic.high(alone)))
        }
        return counts
      })
      return Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.provide(counted, Db.layerTest(script)), [3, 1, 3, 3])
        assert.deepStrictEqual(yield* Effect.provide(counted, Db.layerTest(script, { dedupe: false })), [3, 3, 3, 3])
      })
    }))

  it.effect("rows that were read once because of degradation are each caller's own, to sort and to change", () =>
    Effect.suspend(() => {
      const answer = [{ n: 2, tags: ["a"] }, { n: 1, tags: [], json: JSON.parse(`{ "__proto__": 1 }`) }]
      const script = ClusterScript.make(() => Effect.as(Effect.sleep("10 millis"), answer), { replicas: 1 })
      type Found = { n: number; tags: Array<string> }
      const changed = Effect.map(Traffic.high(Db.read<Found>`SELECT n, tags FROM t`), (rows) => {
        const own = rows as Array<Found>
        own.sort((one, other) => one.n - other.n)
        own[0]!.n += 10
        own[1]!.tags.push("b")
        return own
      })
      return Effect.gen(function*() {
        yield* Db.degrade(2)
        yield* TestClock.adjust("1 milli")
        const all = yield* moved(Effect.all([changed, changed, changed], { concurrency: "unbounded" }))
        assert.strictEqual(script.statements.length, 1)
        for (const [one, other] of all) {
          assert.deepInclude(one, { n: 11, tags: [] })
          assert.strictEqual(JSON.stringify(one), `{"n":11,"tags":[],"json":{"__proto__":1}}`)
          assert.deepStrictEqual(other, { n: 2, tags: ["a", "b"] })
        }
      }).pipe(Effect.provide(Db.layerTest(script)))
    }))

  it.effect("degradation joins no reads that give each caller something of its own, such as a new uuid", () =>
    Effect.suspend(() => {
      const script = ClusterScript.make(() => Effect.as(Effect.sleep("10 millis"), [{ n: 1 }]), { replicas: 1 })
      return Effect.gen(function*() {
        yield* Db.degrade(2)
        yield* TestClock.adjust("1 milli")
        for (const text of ["SELECT gen_random_uuid()", "SELECT n FROM t ORDER BY random() LIMIT 1"]) {
          const one = Traffic.high(Db.read((sql) => sql.unsafe(text)))
          yield* moved(Effect.all([one, one], { concurrency: "unbounded" }))
          assert.strictEqual(servers(script, text).length, 2)
        }
      }).pipe(Effect.provide(Db.layerTest(script)))
    }))

  it.effect("from level 2 of degradation on a replica may be further behind, but never as far as tokenLifetime", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        const isIn = Effect.map(Db.nodes, ([, node]) => node?.isIn)
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(write, Effect.sleep("500 millis"))))
        yield* Db.degrade(2)
        script.lag(1, "15 seconds")
        yield* TestClock.adjust("30 seconds")
        assert.isTrue(yield* isIn)
        script.lag(1, "25 seconds")
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isIn)
        script.lag(1, "8 seconds")
        yield* TestClock.adjust("30 seconds")
        assert.isTrue(yield* isIn)
        script.lag(1, "15 seconds")
        yield* Db.degrade(0)
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isIn)
      }).pipe(Effect.scoped)))

  it.effect("a caller that has written joins no read from before it", () =>
    Effect.suspend(() => {
      let rows = 0
      const script = ClusterScript.make((statement) => {
        if (!statement.startsWith("SELECT")) {
          rows++
          return []
        }
        const seen = [{ rows }]
        return Effect.as(Effect.sleep("50 millis"), seen)
      })
      return Effect.gen(function*() {
        const slow = yield* Effect.forkChild(Db.read`SELECT rows`, { startImmediately: true })
        yield* TestClock.adjust("20 millis")
        const own = Consistency.session(Effect.andThen(Db.query`INSERT INTO t VALUES (1)`, Db.read`SELECT rows`))
        assert.deepStrictEqual(yield* moved(own), [{ rows: 1 }])
        assert.deepStrictEqual(yield* Fiber.join(slow), [{ rows: 0 }])
      }).pipe(Effect.provide(Db.layerTest(script, { dedupe: true, maxWait: "1 second" })))
    }))

  it.effect("its numbers tell of each server its role, state and lag", () =>
    withScript(1, (script) =>
      Effect.gen(function*() {
        script.lag(1, "3 seconds")
        yield* write
        yield* TestClock.adjust("1500 millis")
        const { members = [] } = yield* Db.stats
        assert.deepStrictEqual(members.map(({ name, role, state }) => [name, role, state]), [
          ["app/Db/server-0:5432", "primary", "in"],
          ["app/Db/server-1:5432", "replica", "in"]
        ])
        assert.isAbove(members[1]?.lag ?? 0, 0)
        assert.strictEqual(members[0]?.limit, 20)
      })))

  it.effect("bad options are refused by name", () =>
    Effect.gen(function*() {
      assert.include(
        yield* refusal({ primary: a, replicas: [a] }),
        "option replicas: names a:5432 twice: a replica must be"
      )
      assert.include(yield* refusal({ primary: a, replicas: [b, b] }), "option replicas: names b:5432 twice")
      assert.include(
        yield* refusal({ primary: a, maxLag: "1 minute" }),
        "option tokenLifetime: must be more than maxLag"
      )
      assert.include(
        yield* refusal({ primary: a, consistency: "strong" } as never),
        "option consistency: must be \"session\" or"
      )
      assert.include(
        yield* refusal({ primary: a, primaryShare: 0 }),
        "option primaryShare: must be a number greater than 0"
      )
      assert.include(
        yield* refusal({ primary: a, role: "primary" } as never),
        "option role: is found out for each server"
      )
      assert.include(yield* refusal({ primary: a, url: b } as never), "option url: is a server's")
      assert.include(yield* refusal({ primary: { url: a, role: "any" } } as never), "option primary: has role")
      assert.include(yield* refusal({ primary: a, maxlag: 1 } as never), "maxlag")
      const standby = Redacted.make("postgres://app:secret@a,b/app?target_session_attrs=standby")
      assert.include(yield* refusal({ primary: standby }), "option primary: has a target_session_attrs that a cluster")
    }))

  it.effect("a bad option of a read is misuse, and names the rule", () =>
    withScript(1, () =>
      Effect.gen(function*() {
        const misuse = (options: object) =>
          Effect.map(
            Effect.exit(Db.read((sql) => sql`SELECT n FROM t`, options)),
            (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it ran"
          )
        assert.include(yield* misuse({ consistency: "strong" }), "option consistency of read: must be \"session\" or")
        assert.include(yield* misuse({ maxWait: -1 }), "option maxWait of read")
        assert.include(yield* misuse({ isolation: "snapshot" }), "option isolation of read")
        assert.include(yield* misuse({ lable: "x" }), "lable")
      })))

  it.effect("the environment names several hosts, and replicas", () =>
    Effect.gen(function*() {
      const env = (variables: Record<string, string>) =>
        PostgresCluster.fromEnv.parse(ConfigProvider.fromEnv({ env: variables }))
      const options = yield* env({
        DATABASE_URL: "postgres://app:secret@a:5432,b:5433/app?target_session_attrs=read-write&sslmode=disable",
        DATABASE_REPLICA_URLS: "postgres://app:secret@c/app, postgres://app:secret@d/app",
        POOL_MAX_CONNECTIONS: "7"
      })
      assert.strictEqual(options.maxConnections, 7)
      assert.strictEqual(options.replicas?.length, 2)
      const made = Db.layer({ ...options, startup: "lazy", minConnections: 0, healthCheck: "1 day" })
      const names = yield* Effect.provide(Effect.map(Db.nodes, (nodes) => nodes.map(({ name }) => name)), made)
      assert.deepStrictEqual(names, ["app/Db/a:5432", "app/Db/b:5433", "app/Db/c:5432", "app/Db/d:5432"])
    }))

  it.effect("a pool that was put in its place reads by its own lending", () =>
    Effect.gen(function*() {
      class Plain extends PostgresPool.Service<Plain>()("plain") {}
      const pool = yield* Plain
      assert.deepStrictEqual(
        yield* Effect.provide(Db.read`SELECT n FROM t`, Db.layerFrom(Effect.succeed(pool))),
        [{ n: 1 }]
      )
    }).pipe(Effect.provide(PlainTest)))
})

const PlainTest = Layer.unwrap(Effect.sync(() => {
  class Plain extends PostgresPool.Service<Plain>()("plain") {}
  return Plain.layerTest((statement) => rows(statement))
}))

import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { Consistency, PostgresCluster } from "@effect-pools/postgres"
import { assert, layer } from "@effect/vitest"
import { PgConnection } from "@effect/sql-pg"
import { Context, Duration, Effect, Exit, Fiber, Layer, Random, Redacted, Schedule, Scope } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { isSqlError } from "effect/sql/SqlError"
import { eventually } from "./support.ts"

class Db extends PostgresCluster.Service<Db>()("app/Db") {}

/** A primary with three replicas, which tests may delay but must leave as they were. */
class Servers extends Context.Service<Servers, {
  readonly primary: EmbeddedPostgres.Instance
  readonly replicas: ReadonlyArray<EmbeddedPostgres.Replica>
}>()("test/Servers") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function*() {
      const primary = yield* EmbeddedPostgres.make({ settings: { max_connections: 60 } })
      const replicas = yield* Effect.forEach([1, 2, 3], () => EmbeddedPostgres.replica(primary))
      return { primary, replicas }
    })
  )
}

type Options = Partial<PostgresCluster.ClusterOptions>

const withCluster = <A, E, R>(options: Options, test: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const { primary, replicas } = yield* Servers
    return yield* on(primary, replicas, options, test)
  })

const on = <A, E, R>(
  primary: EmbeddedPostgres.Instance,
  replicas: ReadonlyArray<EmbeddedPostgres.Instance>,
  options: Options,
  test: Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const live = Db.layer({
      primary: primary.url,
      replicas: replicas.map(({ url }) => url),
      drainTimeout: "1 second",
      maxConnections: 10,
      ...options
    })
    const context = yield* Layer.buildWithScope(live, scope)
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    yield* Scope.close(scope, Exit.void)
    if (Exit.isSuccess(exit)) {
      const { counts } = yield* Context.get(context, Db).stats
      assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    }
    return yield* exit
  })

const readsOf = Effect.map(Db.nodes, (nodes) => nodes.map(({ served }) => served))

layer(Servers.layer, { excludeTestServices: true, timeout: "2 minutes" })("PostgresCluster", (it) => {
  it.effect("reads go to replicas, writes and SqlClient to the primary", () =>
    withCluster(
      {},
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE IF NOT EXISTS plain (n int)`
        yield* Db.query`INSERT INTO plain VALUES (1)`
        const rows = yield* Effect.all(
          Array.from({ length: 30 }, () =>
            Db.read<{ port: number }>`SELECT current_setting('port')::int AS port, n FROM plain`)
        )
        const { primary, replicas } = yield* Servers
        const ports = new Set(rows.map(([row]) =>
          row!.port
        ))
        assert.deepStrictEqual(ports, new Set(replicas.map(({ port }) => port)))
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SELECT current_setting('port')::int AS port`, [{ port: primary.port }])
        assert.deepStrictEqual((yield* Db.nodes).map(({ isIn, lag, role }) => ({ isIn, lag, role })), [
          { isIn: false, lag: undefined, role: "primary" },
          { isIn: true, lag: 0, role: "replica" },
          { isIn: true, lag: 0, role: "replica" },
          { isIn: true, lag: 0, role: "replica" }
        ])
        assert.strictEqual((yield* Db.health).status, "healthy")
      })
    ))

  it.effect("a read can't write, wherever it lands", () =>
    withCluster(
      {},
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE IF NOT EXISTS plain (n int)`
        for (const consistency of ["eventual", "primary"] as const) {
          const one = yield* Effect.flip(Db.read((sql) => sql`DELETE FROM plain`, { consistency }))
          assert.match(String((one as { readonly reason: { readonly cause: unknown } }).reason.cause), /read-only/)
          const many = yield* Effect.flip(
            Db.read((sql) => Effect.andThen(sql`SELECT 1`, sql`DELETE FROM plain`), { consistency })
          )
          assert.match(String((many as { readonly reason: { readonly cause: unknown } }).reason.cause), /read-only/)
        }
      })
    ))

  it.effect(
    "what a session wrote, its reads see, whatever replicas lag",
    () =>
      withCluster(
        { maxWait: "10 seconds" },
        Effect.gen(function*() {
          const { replicas } = yield* Servers
          yield* Db.query`CREATE TABLE IF NOT EXISTS pair (id int PRIMARY KEY, n int)`
          // A million in the long run: npm run cluster -- pairs 1000000
          const pairs = 10_000
          // A machine that is slow does as many as it can until then.
          const until = performance.now() + 6_000
          const delays = [0, 300, 2000]
          yield* Effect.forEach(replicas, (replica, index) => replica.delayReplay(delays[index]!))
          let stale = 0
          let done = 0
          const callers = 64
          const caller = (id: number) =>
            Effect.gen(function*() {
              for (let n = 0; n < pairs / callers && performance.now() < until; n++) {
                yield* Db.query`INSERT INTO pair VALUES (${id}, ${n}) ON CONFLICT (id) DO UPDATE SET n = ${n}`
                const [row] = yield* Db.read<{ n: number }>`SELECT n FROM pair WHERE id = ${id}`
                if (row?.n !== n) stale++
                done++
              }
            }).pipe(Consistency.session)
          const [took] = yield* Effect.timed(
            Effect.forEach(Array.from({ length: callers }, (_, id) => id), caller, {
              concurrency: "unbounded",
              discard: true
            })
          )
          yield* Effect.forEach(replicas, (replica) => replica.delayReplay(0))
          assert.strictEqual(stale, 0)
          assert.isAbove(done, 500)
          const [ofPrimary = 0, ...others] = yield* readsOf
          const all = others.reduce((a, b) => a + b, ofPrimary)
          assert.isAtLeast(1 - ofPrimary / all, 0.8)
          yield* Effect.logInfo(
            `${done} pairs in ${Math.round(Duration.toMillis(took))} ms, reads: ${ofPrimary} on the primary, ${
              others.join(", ")
            } on replicas`
          )
        })
      )
  )

  it.effect("reads under way on a replica that answers no more, or is killed, are read again elsewhere", () =>
    withCluster(
      { probeInterval: "200 millis", maxConnections: 4, consistency: "eventual" },
      Effect.gen(function*() {
        const { replicas } = yield* Servers
        const allIn = eventually(
          "all are in",
          Effect.map(Db.nodes, (nodes) => nodes.filter(({ isIn }) => isIn).length === 3)
        )
        yield* allIn
        const slow = Db.read<{ port: number }>`SELECT current_setting('port')::int AS port, pg_sleep(0.4)`
        for (const fault of ["stop", "kill9"] as const) {
          const replica = replicas[fault === "stop" ? 0 : 1]!
          // More than it has connections: some wait there.
          const reads = yield* Effect.forkChild(
            Effect.all(Array.from({ length: 18 }, () => slow), { concurrency: "unbounded" }),
            { startImmediately: true }
          )
          yield* Effect.sleep(150)
          yield* replica[fault]
          const rows = yield* Effect.timeout(Fiber.join(reads), "10 seconds")
          assert.notInclude(rows.map(([row]) => row!.port), replica.port)
          assert.strictEqual((yield* Db.nodes).filter(({ isIn }) => isIn).length, 2)
          yield* fault === "stop" ? replica.cont : replica.start
          yield* allIn
        }
      })
    ))

  it.effect("a table altered and an enum replaced under load fail no read, and a write with retry neither", () =>
    withCluster(
      { maxConnections: 4, maxWait: "10 seconds" },
      Effect.gen(function*() {
        const { primary } = yield* Servers
        // Nobody of the cluster sees them made.
        const elsewhere = (texts: ReadonlyArray<string>) =>
          Effect.scoped(
            Effect.flatMap(PgConnection.make({ url: primary.url }), (connection) =>
              Effect.forEach(texts, (text) => connection.query(text)))
          )
        yield* Db.query`DROP TABLE IF EXISTS changing`
        yield* Db.query`DROP TYPE IF EXISTS colour`
        yield* Db.query`CREATE TYPE colour AS ENUM ('red', 'blue')`
        yield* Db.query`CREATE TABLE changing (id int PRIMARY KEY, c colour)`
        yield* Db.query`INSERT INTO changing SELECT id, 'red' FROM generate_series(1, 8) AS id`
        // The sessions below have not made the table, and must see it all the same.
        const token = yield* Db.token
        const work = { isOpen: true }
        const failures: Array<string> = []
        let unretried = 0
        let done = 0
        const looped = <E, R>(effect: Effect.Effect<unknown, E, R>, onFailure: (error: E) => void) =>
          Effect.gen(function*() {
            while (work.isOpen) {
              const result = yield* Effect.result(effect)
              if (result._tag === "Failure") onFailure(result.failure)
              else done++
              yield* Effect.sleep(2)
            }
          }).pipe(Consistency.provide(token!))
        const note = (error: unknown) => void failures.push(String(isSqlError(error) ? error.reason.cause : error))
        const all = (sql: Statement.Constructor) => sql`SELECT * FROM changing ORDER BY id`
        const write = (id: number) => (sql: Statement.Constructor) =>
          sql`UPDATE changing SET c = ${"blue"} WHERE id = ${id}`
        const retry = Schedule.upTo(Schedule.spaced("5 millis"), { times: 5 })
        const busy = yield* Effect.forkChild(Effect.all([
          ...[1, 2, 3].map(() => looped(Db.read`SELECT * FROM changing ORDER BY id`, note)),
          ...[1, 2, 3].map(() => looped(Db.read((sql) => Effect.andThen(all(sql), all(sql))), note)),
          looped(Db.read((sql) => all(sql), { consistency: "primary" }), note),
          ...[1, 2].map((id) => looped(Db.transaction(write(id), { retry }), note)),
          ...[3, 4].map((id) => looped(Db.transaction(write(id)), () => void unretried++))
        ], { concurrency: "unbounded" }))
        const settled = Effect.suspend(() => {
          const before = done
          return eventually("it goes on", Effect.sync(() => done > before + 200))
        })
        yield* settled
        const replace = [
          "ALTER TYPE colour RENAME TO colour_old",
          "CREATE TYPE colour AS ENUM ('red', 'blue', 'green')",
          "ALTER TABLE changing ALTER COLUMN c TYPE colour USING c::text::colour",
          "DROP TYPE colour_old"
        ]
        const changes = [["ALTER TABLE changing ADD COLUMN name text"], replace]
        for (const change of changes) {
          yield* elsewhere(change)
          yield* settled
        }
        work.isOpen = false
        yield* Fiber.join(busy)
        assert.deepStrictEqual(failures, [])
        assert.isAtMost(unretried, changes.length)
      })
    ))

  it.effect("with equal reads once, an own write is seen all the same, and no read of a session steps back", () =>
    withCluster(
      { dedupe: true, maxWait: "10 seconds" },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE IF NOT EXISTS shared (id int PRIMARY KEY, n int)`
        yield* Db
          .query`INSERT INTO shared SELECT id, 0 FROM generate_series(0, 3) AS id ON CONFLICT (id) DO UPDATE SET n = 0`
        // The sessions below have not written the rows, and must see them all the same.
        const token = yield* Db.token
        const until = performance.now() + 2_500
        let stale = 0
        let steps = 0
        const caller = Effect.gen(function*() {
          const seen = [0, 0, 0, 0]
          while (performance.now() < until) {
            const id = yield* Random.nextIntBetween(0, 3)
            if ((yield* Random.next) < 0.3) {
              const [row] = yield* Db.query<{ n: number }>`UPDATE shared SET n = n + 1 WHERE id = ${id} RETURNING n`
              seen[id] = Math.max(seen[id]!, row!.n)
            }
            // Several ask for the same at once, as all callers do.
            const [[row]] = yield* Effect.all([
              Db.read<{ n: number }>`SELECT n FROM shared WHERE id = ${id}`,
              Db.read<{ n: number }>`SELECT n FROM shared WHERE id = ${id}`
            ], { concurrency: 2 })
            if (row!.n < seen[id]!) stale++
            seen[id] = Math.max(seen[id]!, row!.n)
            steps++
          }
        }).pipe(Consistency.provide(token!))
        yield* Effect.all(Array.from({ length: 24 }, () => caller), { concurrency: "unbounded", discard: true })
        assert.strictEqual(stale, 0)
        assert.isAbove(steps, 100)
      })
    ))

  it.effect("while replicas stand still reads move, wait, go to the primary within its share, and are refused then", () =>
    withCluster(
      { maxWait: "50 millis", primaryShare: 0.2, probeInterval: "100 millis" },
      Effect.gen(function*() {
        const { replicas } = yield* Servers
        yield* Db.query`CREATE TABLE IF NOT EXISTS still (n int)`
        const written = Effect.gen(function*() {
          yield* Db.query`INSERT INTO still VALUES (1)`
          return yield* Db.read<{ port: number }>`SELECT current_setting('port')::int AS port FROM still`
        }).pipe(Effect.map(([row]) => row?.port), Consistency.session)
        yield* replicas[0]!.pauseReplay
        assert.include(replicas.slice(1).map(({ port }) => port), yield* written)
        yield* Effect.forEach(replicas.slice(1), (replica) => replica.pauseReplay)
        const { primary } = yield* Servers
        assert.strictEqual(yield* written, primary.port)
        const many = yield* Effect.forEach(
          Array.from({ length: 8 }),
          () =>
            Effect.gen(function*() {
              yield* Db.query`INSERT INTO still VALUES (1)`
              return yield* Db.read((sql) => sql`SELECT pg_sleep(0.3)`)
            }).pipe(Consistency.session, Effect.exit),
          { concurrency: "unbounded" }
        )
        const refused = many.filter(Exit.isFailure)
        assert.isAbove(refused.length, 0)
        assert.isAtLeast(many.length - refused.length, 2)
        for (const exit of refused) assert.include(String(exit.cause), "no replica has what the read must see")
        assert.strictEqual((yield* Db.nodes).filter(({ isIn }) => isIn).length, 3)
        yield* Effect.forEach(replicas, (replica) => replica.resumeReplay)
        yield* eventually("a replica reads again", Effect.map(written, (port) => port !== primary.port))
      })
    ))

  it.effect("a token carries what was written to another program, and a bad one is refused", () =>
    withCluster(
      { maxWait: "2 seconds" },
      Effect.gen(function*() {
        const { replicas } = yield* Servers
        yield* Db.query`CREATE TABLE IF NOT EXISTS carried (n int)`
        yield* Effect.forEach(replicas, (replica) => replica.delayReplay(300))
        const token = yield* Db.query`INSERT INTO carried VALUES (1)`.pipe(
          Effect.andThen(Db.token),
          Consistency.session
        )
        assert.match(token ?? "", /^[0-9]+\.[0-9a-z]+\.[0-9a-z]+$/)
        const seen = Db.read<{ n: number }>`SELECT n FROM carried`
        assert.deepStrictEqual(yield* Consistency.provide(seen, token!), [{ n: 1 }])
        assert.strictEqual(yield* Consistency.session(Db.token), undefined)
        yield* Effect.forEach(replicas, (replica) => replica.delayReplay(0))
        const [systemId, timeline, lsn] = token!.split(".")
        for (
          const [bad, because] of [
            ["x", "malformed"],
            [`${token}'; DROP`, "malformed"],
            [`1${systemId}.${timeline}.${lsn}`.slice(0, 20) + `.1.1`, "foreign"],
            [`${systemId}.${timeline}.${(Number.parseInt(lsn!, 36) + 1e9).toString(36)}`, "future"],
            [`${systemId}.9.1`, "future"]
          ] as const
        ) {
          const error = yield* Effect.flip(Consistency.provide(seen, bad))
          assert.strictEqual(
            error._tag === "ClusterError" && error.reason._tag === "InvalidToken" && error.reason.because,
            because
          )
        }
      })
    ))

  it.effect("without traffic no replica is ever out", () =>
    withCluster(
      { probeInterval: "20 millis", maxLag: "100 millis" },
      Effect.gen(function*() {
        for (let look = 0; look < 40; look++) {
          yield* Effect.sleep(50)
          assert.deepStrictEqual((yield* Db.nodes).map(({ isIn }) => isIn), [false, true, true, true])
        }
      })
    ))

  it.effect("a replica that is the primary, or of another cluster, is refused by name", () =>
    Effect.gen(function*() {
      const { primary, replicas } = yield* Servers
      const refusal = (urls: ReadonlyArray<EmbeddedPostgres.Instance["url"]>) =>
        Effect.flip(Effect.scoped(Layer.build(Db.layer({ primary: primary.url, replicas: urls }))))
      assert.match(
        String(yield* refusal([primary.url])),
        /option replicas: names 127.0.0.1:\d+ twice: a replica must be another/
      )
      const elsewhere = Redacted.make(Redacted.value(primary.url).replace("127.0.0.1", "localhost"))
      assert.match(String(yield* refusal([elsewhere])), /option replicas: .*localhost:\d+ is the same server as/)
      const stranger = yield* EmbeddedPostgres.make({ user: primary.user, password: Redacted.value(primary.password) })
      assert.match(
        String(yield* refusal([replicas[0]!.url, stranger.url])),
        /option replicas: .* system identifiers differ/
      )
    }))
})

const failing = layer(Layer.empty, { excludeTestServices: true })

failing("PostgresCluster in a failover", (it) => {
  it.effect(
    "writes go on within a second of the promotion, nothing is written to a standby, and no read steps back",
    () =>
      Effect.gen(function*() {
        const primary = yield* EmbeddedPostgres.make()
        const first = yield* EmbeddedPostgres.replica(primary)
        const second = yield* EmbeddedPostgres.replica(primary)
        yield* on(
          primary,
          [first, second],
          { acquireTimeout: "10 seconds", breaker: { openDuration: "1 second" } },
          Effect.gen(function*() {
            yield* Db.query`CREATE TABLE counted (n int)`
            yield* Db.query`INSERT INTO counted VALUES (0)`
            let written = 0
            const work = { isOpen: true }
            let steppedBack = 0
            const refused: Array<string> = []
            const writer = Effect.gen(function*() {
              while (work.isOpen) {
                const exit = yield* Effect.exit(Db.query`UPDATE counted SET n = n + 1`)
                if (Exit.isSuccess(exit)) written++
                else refused.push(String(exit.cause))
                yield* Effect.sleep(10)
              }
            })
            const reader = Effect.gen(function*() {
              let highest = 0
              while (work.isOpen) {
                const [row] = yield* Effect.orElseSucceed(Db.read<{ n: number }>`SELECT n FROM counted`, () => [])
                if (row !== undefined && row.n < highest) steppedBack++
                if (row !== undefined) highest = row.n
                yield* Effect.sleep(5)
              }
            }).pipe(Consistency.session)
            const busy = yield* Effect.forkChild(
              Effect.all([writer, ...Array.from({ length: 4 }, () => reader)], { concurrency: "unbounded" })
            )
            yield* eventually("it writes", Effect.sync(() => written > 20))
            yield* primary.kill9
            // Whoever promotes takes the one that is furthest.
            const lsn = (replica: EmbeddedPostgres.Replica) =>
              Effect.map(replica.query("SELECT (pg_last_wal_receive_lsn() - '0/0')::text AS lsn"), ([row]) =>
                Number(row?.["lsn"]))
            const [a, b] = [yield* lsn(first), yield* lsn(second)]
            const [next, other] = a >= b ? [first, second] : [second, first]
            yield* next.promote
            const before = written
            const [took] = yield* Effect.timed(eventually(
              "it writes again",
              Effect.sync(() =>
                written > before
              )
            ))
            assert.isBelow(Duration.toMillis(took), 1000)
            yield* other.follow(next)
            yield* eventually(
              "the other replica reads again",
              Effect.map(Db.nodes, (nodes) => nodes.some(({ isIn }) => isIn)),
              "15 seconds"
            )
            work.isOpen = false
            yield* Fiber.join(busy)
            assert.strictEqual(steppedBack, 0)
            assert.isFalse(refused.some((cause) => cause.includes("read-only")), refused.join("\n"))
            const roles = yield* Effect.map(Db.nodes, (nodes) => nodes.map(({ role }) => role))
            assert.strictEqual(roles.filter((role) => role === "primary").length, 1)

            // The old primary comes back, and does not know that another one came after it.
            yield* primary.start
            yield* eventually("it is a stray", Effect.map(Db.nodes, ([old]) => old?.role === "stray"))
            yield* Db.query`UPDATE counted SET n = n + 1`
            assert.strictEqual((yield* Db.nodes)[0]?.role, "stray")
          })
        )
      }),
    60_000
  )
})

import type { PgClient } from "@effect/sql-pg"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { type PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { assert } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import * as Differences from "./fixtures/differences.ts"
import * as PgBouncer from "./fixtures/pgBouncer.ts"

export { eventually } from "@effect-pools/testing/Eventually"

/** The pool of the tests. */
export class Db extends PostgresPool.Service<Db>()("app/Db") {}

export type Services = Db | SqlClient.SqlClient | PgClient.PgClient

/** Runs a test with a pool of its own on the suite's server, and checks that nothing is left of it afterwards. */
export const withDb = <A, E, R>(
  options: PostgresConfig.PostgresOptions,
  test: Effect.Effect<A, E, R | Services>
): Effect.Effect<A, E | PoolError, Exclude<R, Services> | EmbeddedPostgres.EmbeddedPostgres> =>
  Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.EmbeddedPostgres
    const scope = yield* Scope.make()
    const url = options.url === undefined && options.host === undefined ? yield* wayTo(server) : {}
    const context = yield* Layer.buildWithScope(Db.layer({ drainTimeout: "1 second", ...url, ...options }), scope)
    const work = Effect.provideContext(test, context)
    const exit = yield* Effect.exit(Differences.mode === undefined ? work : bounded(work))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Db).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }).pipe(Effect.scoped) as Effect.Effect<A, E | PoolError, Exclude<R, Services> | EmbeddedPostgres.EmbeddedPostgres>

/** A test that differs may wait for ever. */
const bounded = <A, E, R>(test: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.timeoutOrElse(test, { duration: "30 seconds", orElse: () => Effect.die(new Error("it did not end")) })

/** The suite runs through a PgBouncer with `THROUGH_PGBOUNCER=transaction` or `session`: `differences.ts` lists what differs. */
const wayTo = (
  server: EmbeddedPostgres.Instance
): Effect.Effect<PostgresConfig.PostgresOptions, never, Scope.Scope> => {
  const { mode } = Differences
  if (mode === undefined) return Effect.succeed({ url: server.url })
  return Effect.map(
    PgBouncer.make(server, { pool_mode: mode, default_pool_size: 50, max_client_conn: 500 }),
    ({ port }) => {
      const url = Redacted.value(server.url).replace(`:${server.port}/`, `:${port}/`)
      return { url: Redacted.make(url), pooler: { mode } }
    }
  )
}

/** How long an effect took, in milliseconds, beside its result. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [number, A], E, R> =>
  Effect.map(Effect.timed(effect), ([took, a]) => [Duration.toMillis(took), a] as const)

/** How many statements the server runs for the tests' user just now. */
export const active: Effect.Effect<number, unknown, EmbeddedPostgres.EmbeddedPostgres> = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.EmbeddedPostgres
  const sql = "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND state = 'active'"
  return (yield* server.query(sql, [server.user])).length
})

import type { PgClient } from "@effect/sql-pg"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { type PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { assert } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Scope } from "effect"
import type { SqlClient } from "effect/sql"

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
    const url = options.url === undefined && options.host === undefined ? { url: server.url } : {}
    const context = yield* Layer.buildWithScope(Db.layer({ drainTimeout: "1 second", ...url, ...options }), scope)
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Db).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }) as Effect.Effect<A, E | PoolError, Exclude<R, Services> | EmbeddedPostgres.EmbeddedPostgres>

/** How long an effect took, in milliseconds, beside its result. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [number, A], E, R> =>
  Effect.map(Effect.timed(effect), ([took, a]) => [Duration.toMillis(took), a] as const)

/** How many statements the server runs for the tests' user just now. */
export const active: Effect.Effect<number, unknown, EmbeddedPostgres.EmbeddedPostgres> = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.EmbeddedPostgres
  const sql = "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND state = 'active'"
  return (yield* server.query(sql, [server.user])).length
})

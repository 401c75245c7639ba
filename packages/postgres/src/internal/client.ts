/**
 * The SQL client over the whole pool, for programs written against `SqlClient` and `PgClient`.
 *
 * Each statement outside a transaction borrows a connection for itself; a transaction or a stream holds one while it
 * runs.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Acquirer, Borrower } from "effect/sql/SqlConnection"
import { AuthenticationError, ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { make as makeBorrower } from "./borrower.ts"
import type { Kit } from "./kit.ts"
import type { LentConnection } from "./lent.ts"
import { extras } from "./leaseClient.ts"
import * as Untraced from "./untraced.ts"

export const make = Effect.fnUntraced(function*(
  kit: Kit,
  pool: ConnectionPool<LentConnection>
): Effect.fn.Return<PgClient.PgClient, never, Reactivity.Reactivity> {
  const acquirer: Acquirer = Effect.mapError(pool.acquire, toSqlError)
  const borrow = makeBorrower(pool, kit.settings.sharing, undefined, kit.lane)
  const borrower: Borrower = (f) =>
    Effect.mapError(borrow(f), (error) => isPoolError(error) ? toSqlError(error) : error)
  const client = Untraced.tagOf(
    yield* SqlClient.make({ ...kit.clientOptions, acquirer, borrower, transactionAcquirer: acquirer })
  )
  return Object.assign(client, extras(kit), {
    safe: client,
    withTransaction: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.withFiber<A, E | SqlError, R>((fiber) => {
        const held = kit.heldLease(fiber)
        return kit.transact(held === undefined ? acquirer : Effect.succeed(held), effect)
      }),
    listen: (channel: string) =>
      Effect.flatMap(
        Effect.mapError(pool.acquireWith({ label: `listen ${channel}`, isLongLived: true }), toSqlError),
        (lease) => lease.listen(channel)
      ),
    notify: (channel: string, payload: string) => Effect.asVoid(client`SELECT pg_notify(${channel}, ${payload})`)
  })
})

const isPoolError = (error: unknown): error is PoolError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "PoolError"

/** The pool's error in the words of `SqlError`, since that is all that those programs know to handle. */
export const toSqlError = (error: PoolError): SqlError => {
  const props = { cause: error, message: error.message, operation: "acquire" }
  if (error.isRetryable) return new SqlError({ reason: new ConnectionError(props) })
  const { reason } = error
  const code = reason._tag === "ConnectFailed"
    ? (reason.cause as { readonly code?: unknown } | undefined)?.code
    : undefined
  return typeof code === "string" && code.startsWith("28")
    ? new SqlError({ reason: new AuthenticationError(props) })
    : new SqlError({ reason: new UnknownError(props) })
}

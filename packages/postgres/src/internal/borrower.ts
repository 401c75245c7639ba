/**
 * How a single statement gets its connection.
 */
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Lane } from "./cost/lane.ts"
import type { LentConnection } from "./lent.ts"
import * as Verdict from "./verdict.ts"

/** The members of a pool that lends leases, as far as single statements need them. */
export type Lender = Pick<ConnectionPool<LentConnection>, "withConnection" | "withShared" | "acquireWith">

export type Borrower = <A, E, R>(
  f: (connection: Connection) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | PoolError, R>

export const make = (pool: Lender, sharing: number, options?: LeaseOptions, lane?: Lane): Borrower => {
  if (sharing === 1 && lane === undefined) {
    return options === undefined
      ? pool.withConnection
      : (f) => pool.withConnection(f, options)
  }
  const connection = sharingConnection(pool, options, sharing, lane)
  return (f) => f(connection)
}

/**
 * Stands for whatever connection each statement gets. The text decides whether it can share one, and is known only when
 * the statement is run, so that is when the connection is asked for. A stream holds a connection in its own scope, through
 * the acquirer.
 */
const sharingConnection = (
  pool: Lender,
  options: LeaseOptions | undefined,
  sharing: number,
  lane: Lane | undefined
): Connection => {
  // The type of a connection has no place for the pool's error; that of the borrower has, and it comes out there.
  const on =
    (how: Single) => (text: string, params: ReadonlyArray<unknown>, transformRows?: any): Effect.Effect<any, any> => {
      const statement = (lease: LentConnection): Effect.Effect<unknown, SqlError> =>
        lease[how](text, params, transformRows)
      const lend = sharing > 1 && Verdict.of(text).isShareable ? pool.withShared : pool.withConnection
      if (lane === undefined) return lend(statement, options)
      // A lane comes with the pool itself.
      return lane.run(
        pool as ConnectionPool<LentConnection>,
        text,
        params,
        options,
        (isInLane) => lend((lease) => lane.timed(text, isInLane, statement(lease)), options)
      )
    }
  const held: Effect.Effect<LentConnection, any, Scope.Scope> = pool.acquireWith(options)
  return {
    execute: on("execute"),
    executeUnprepared: on("executeUnprepared"),
    executeRaw: on("executeRaw"),
    executeValues: on("executeValues"),
    executeValuesUnprepared: on("executeValuesUnprepared"),
    executeStream: (...args) => Stream.unwrap(Effect.map(held, (lease) => lease.executeStream(...args)))
  }
}

type Single = Exclude<keyof Connection, "executeStream">

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
import type { LentConnection } from "./lease.ts"
import * as Verdict from "./verdict.ts"

type Pool = ConnectionPool<LentConnection>

export type Borrower = <A, E, R>(
  f: (connection: Connection) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | PoolError, R>

export const make = (pool: Pool, sharing: number, options?: LeaseOptions): Borrower => {
  if (sharing === 1) return options === undefined ? pool.withConnection : (f) => pool.withConnection(f, options)
  const connection = sharingConnection(pool, options)
  return (f) => f(connection)
}

/**
 * Stands for whatever connection each statement gets. The text decides whether it can share one, and is known only when
 * the statement is run, so that is when the connection is asked for. A stream holds a connection in its own scope, through
 * the acquirer.
 */
const sharingConnection = (pool: Pool, options: LeaseOptions | undefined): Connection => {
  // The type of a connection has no place for the pool's error; that of the borrower has, and it comes out there.
  const on =
    (how: Single) => (...args: readonly [text: string, ...rest: ReadonlyArray<any>]): Effect.Effect<any, any> => {
      const run = (lease: LentConnection): Effect.Effect<unknown, SqlError> =>
        (lease[how] as (...args: ReadonlyArray<any>) => Effect.Effect<unknown, SqlError>)(...args)
      return Verdict.of(args[0]).isShareable ? pool.withShared(run, options) : pool.withConnection(run, options)
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

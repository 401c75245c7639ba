/**
 * How a single statement gets its connection.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Lease } from "./lease.ts"
import * as Verdict from "./verdict.ts"

type Pool = ConnectionPool<Lease>

export type Borrower = <A, E, R>(
  f: (connection: Connection) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | PoolError, R>

export const make = (pool: Pool, sharing: number): Borrower => {
  if (sharing === 1) return pool.withConnection
  const connection = new SharingConnection(pool)
  return (f) => f(connection)
}

/**
 * Stands for whatever connection each statement gets. The text decides whether it can share one, and is known only when
 * the statement is run, so that is when the connection is asked for.
 */
class SharingConnection implements Connection {
  private readonly pool: Pool

  constructor(pool: Pool) {
    this.pool = pool
  }

  // The type of a connection has no place for the pool's error; that of the borrower has, and it comes out there.
  private on<A>(text: string, f: (lease: Lease) => Effect.Effect<A, SqlError>): Effect.Effect<A, any> {
    return Verdict.of(text).isShareable ? this.pool.withShared(f) : this.pool.withConnection(f)
  }

  execute(...args: Parameters<Connection["execute"]>): ReturnType<Connection["execute"]> {
    return this.on(args[0], (lease) => lease.execute(...args))
  }

  executeUnprepared(...args: Parameters<Connection["executeUnprepared"]>): ReturnType<Connection["executeUnprepared"]> {
    return this.on(args[0], (lease) => lease.executeUnprepared(...args))
  }

  executeRaw(...args: Parameters<Connection["executeRaw"]>): ReturnType<Connection["executeRaw"]> {
    return this.on(args[0], (lease) => lease.executeRaw(...args))
  }

  executeValues(...args: Parameters<Connection["executeValues"]>): ReturnType<Connection["executeValues"]> {
    return this.on(args[0], (lease) => lease.executeValues(...args))
  }

  executeValuesUnprepared(
    ...args: Parameters<Connection["executeValuesUnprepared"]>
  ): ReturnType<Connection["executeValuesUnprepared"]> {
    return this.on(args[0], (lease) => lease.executeValuesUnprepared(...args))
  }

  // A stream holds a connection in its own scope, through the acquirer, and never comes here.
  executeStream(...args: Parameters<Connection["executeStream"]>): ReturnType<Connection["executeStream"]> {
    const held: Effect.Effect<Lease, any, Scope.Scope> = this.pool.acquire
    return Stream.unwrap(Effect.map(held, (lease) => lease.executeStream(...args)))
  }
}

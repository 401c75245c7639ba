/**
 * A pool together with what only a PostgreSQL pool has: its clients, its transactions and its listener.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import type { Notification } from "@effect/sql-pg/PgConnection"
import { effectOf } from "@effect-pools/core/Callback"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import type { Attachment } from "@effect-pools/core/PoolService"
import * as PoolMetrics from "@effect-pools/core/PoolMetrics"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RcRef from "effect/RcRef"
import type * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import type { Borrower as SqlBorrower } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { kind, type PostgresOptions } from "../PostgresConfig.ts"
import type { PostgresConnection } from "./connectionModel.ts"
import { type Borrower, type Lender, make as makeBorrower } from "./borrower.ts"
import * as Client from "./client.ts"
import * as PgConnector from "./connector.ts"
import * as Kit from "./kit.ts"
import type { LentConnection } from "./lent.ts"
import { leaseOf } from "./leaseClient.ts"
import * as Options from "./options.ts"
import * as TenantPool from "./tenant/pool.ts"
import * as Pooler from "./pooler/agree.ts"
import * as Untraced from "./untraced.ts"

export type Pool = ConnectionPool.ConnectionPool<PostgresConnection>
type Bare = ConnectionPool.ConnectionPool<LentConnection>

export interface Runtime {
  /** The pool itself, which lends leases. */
  readonly bare: Bare
  readonly kit: Kit.Kit
  readonly client: PgClient
  /** Makes single statements, which get a connection each, or that of the open transaction. */
  readonly sql: Statement.Constructor
  /** `sql` with something to say about the leases. */
  readonly sqlWith: (options: ConnectionPool.LeaseOptions) => Statement.Constructor
  readonly listen: (channel: string) => Stream.Stream<Notification, SqlError | PoolError>
}

/** The rest of a pool that is made here, or of a copy of it. */
export const runtimes: Attachment<Runtime> = PoolService.makeAttachment<Runtime>("@effect-pools/postgres/Runtime")

export const make = (
  id: string,
  options: PostgresOptions
): Effect.Effect<Pool, PoolError | InvalidOption, Scope.Scope | Reactivity.Reactivity> =>
  Effect.flatMap(
    Options.checkWithUser(options, id),
    ({ pool, settings }) => Effect.andThen(Pooler.agree(settings, pool), makeWith(id, settings, pool, PgConnector.make))
  )

/** Makes the pool over another connector, such as a scripted one. */
export const makeWith = Effect.fnUntraced(function*<Session>(
  id: string,
  settings: Kit.Kit["settings"],
  options: PoolOptions,
  connectorOf: (kit: Kit.Kit) => Connector<Session, LentConnection>
): Effect.fn.Return<Pool, PoolError, Scope.Scope | Reactivity.Reactivity> {
  const kit = yield* Kit.make(options.name ?? id, settings, options)
  const bare = yield* ConnectionPool.make(connectorOf(kit), { ...options, kind })
  return yield* over(kit, TenantPool.make(bare, settings))
})

/** The pool that lends clients, and all that comes with it, over one that lends leases. */
export const over = Effect.fnUntraced(function*(
  kit: Kit.Kit,
  bare: Bare
): Effect.fn.Return<Pool, never, Scope.Scope | Reactivity.Reactivity> {
  if (bare.config.metrics) yield* publishPrepared(kit, bare.config.name)
  const isDraining = Deferred.makeUnsafe<void>()
  const forListeners = bare.acquireWith({ label: "listen", isLongLived: true })
  const listener = yield* RcRef.make({ acquire: forListeners })
  const lending = PoolService.derive<LentConnection, PostgresConnection>(bare, {
    withConnection: (f, options) =>
      joining(
        kit,
        f,
        () => bare.withConnection((lease) => kit.holding(lease, effectOf(kit.pool, f(lease.lent))), options)
      ),
    acquireWith: (options) => Effect.map(bare.acquireWith(options), ({ lent }) => lent),
    invalidate: (sql) => Effect.suspend(() => bare.invalidate(leaseOf(sql)!))
  })
  // Listeners would hold their connection until the drain runs out of time; and the reference is closed after them, which
  // would interrupt whoever asks it.
  const pool = yield* PoolService.onEnd(lending, Deferred.succeed(isDraining, undefined))
  return runtimes.attach(pool, {
    bare,
    kit,
    client: yield* Client.make(kit, bare),
    sql: singleStatements(kit, bare),
    sqlWith: (options) => singleStatements(kit, bare, options),
    listen: (channel) =>
      Stream.suspend(() =>
        Deferred.isDoneUnsafe(isDraining)
          // The pool says why it lends no more.
          ? Stream.fromEffectDrain(Effect.scoped(forListeners))
          : Stream.interruptWhen(listen(listener, channel), Deferred.await(isDraining))
      )
  })
})

const publishPrepared = ({ schema }: Kit.Kit, pool: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    ["hits", "misses", "evictions"] as const,
    (result) =>
      PoolMetrics.makeCounter(
        {
          name: "db_pool_prepared_total",
          description: "Prepared statements that were found, prepared, and dropped for others",
          attributes: { pool, result }
        },
        () => schema.statements?.[result] ?? 0
      ),
    { discard: true }
  )

/**
 * Inside a transaction of the pool its connection is used: another one would neither see the transaction's changes nor
 * be part of it, and waiting for it could wait for oneself.
 */
const joining = <A, E, R>(
  kit: Kit.Kit,
  f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
  borrow: () => Effect.Effect<A, E | PoolError, R>
): Effect.Effect<A, E | PoolError, R> =>
  Effect.withFiber((fiber) => {
    const current = kit.currentLease(fiber.context)
    return current === undefined ? borrow() : effectOf(kit.pool, f(current.lent))
  })

/** A connection until the scope closes: that of the open transaction, or one of its own. */
const held = (
  kit: Kit.Kit,
  pool: Lender,
  options: ConnectionPool.LeaseOptions | undefined
): Effect.Effect<LentConnection, PoolError, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const current = kit.currentLease(fiber.context)
    return current === undefined ? pool.acquireWith(options) : Effect.succeed(current)
  })

/** Single statements of a pool that shares connections, each of which is lent by the pool's own members. */
export const sharedStatements = (pool: Pool): Statement.Constructor => {
  const known = statements.get(pool)
  if (known !== undefined) return known
  const { kit } = runtimes.of(pool)!
  // A connection that a pool of ours lends has its lease.
  const on = <A, E, R>(f: (lease: LentConnection) => Effect.Effect<A, E, R>) => (sql: PostgresConnection) =>
    f(leaseOf(sql)!)
  const lender: Lender = {
    withConnection: (f, options) => pool.withConnection(on(f), options),
    withShared: (f, options) => PoolService.shared(pool, on(f), options),
    acquireWith: (options) => Effect.map(pool.acquireWith(options), (sql) => leaseOf(sql)!)
  }
  const made = singleStatements({ ...kit, lane: undefined }, lender)
  statements.set(pool, made)
  return made
}

const statements = new WeakMap<Pool, Statement.Constructor>()

const singleStatements = (
  kit: Kit.Kit,
  pool: Lender,
  options?: ConnectionPool.LeaseOptions
): Statement.Constructor => {
  const borrow = makeBorrower(pool, kit.settings.sharing, options, kit.lane)
  const joined: Borrower = (f) =>
    Effect.withFiber((fiber) => {
      const current = kit.currentLease(fiber.context)
      return current === undefined ? borrow(f) : f(current)
    })
  // The type of a statement has no place for the pool's error; that of `query`, which runs it, has.
  const acquirer: Effect.Effect<LentConnection, any, Scope.Scope> = held(kit, pool, options)
  const borrower = joined as SqlBorrower
  const { compiler, transformRows } = kit.transformed
  return Untraced.tagOf(Statement.make(acquirer, compiler, kit.spanAttributes, transformRows, borrower))
}

/** All listeners of a pool share one connection, lent as long as there is any. */
const listen = (
  listener: RcRef.RcRef<LentConnection, PoolError>,
  channel: string
): Stream.Stream<Notification, SqlError | PoolError> =>
  Stream.unwrap(Effect.gen(function*() {
    const lease = yield* listening(listener)
    return Stream.fromQueue(yield* lease.listen(channel))
  }))

/** The listeners' connection. One that died is left to the listeners that have not ended yet, and given back by them. */
const listening = Effect.fnUntraced(function*(listener: RcRef.RcRef<LentConnection, PoolError>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const lease = yield* Scope.provide(RcRef.get(listener), scope)
  if (!lease.session.isDead) return lease
  yield* RcRef.invalidate(listener)
  yield* Scope.close(scope, Exit.void)
  return yield* RcRef.get(listener)
})

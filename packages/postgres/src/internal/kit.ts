/**
 * The parts that all SQL clients of one pool share: the compiler, the transforms, and above all one transaction
 * service.
 *
 * There are two kinds of client: the one bound to a lent connection, and the one over the whole pool that existing
 * programs find as `SqlClient`. Since both keep the open transaction in the same place, a statement of the second joins
 * a transaction begun on the first.
 */
import { steadyMillis } from "@effect-pools/core/TimeLimit"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Acquirer, Connection } from "effect/sql/SqlConnection"
import { DeadlockError, SerializationError, SqlError, type SqlErrorReason, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { Costs } from "./cost/costs.ts"
import { Lane } from "./cost/lane.ts"
import type { HeavyRules } from "./cost/model.ts"
import * as Compiler from "./compiler.ts"
import { LentConnection } from "./lent.ts"
import { type LimitOptions, type Limits, limitsOf } from "./limits.ts"
import { CurrentLevel, Level } from "./turns.ts"
import { Notices } from "./notices.ts"
import type { Schema } from "./schema.ts"
import { Statements } from "./statements.ts"
import type { ConnectionSettings } from "./settings.ts"

type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** How statements are compiled and rows are read: with the names transformed, or plainly. */
export interface Dialect {
  readonly compiler: Statement.Compiler
  readonly transformRows: TransformRows
}

export interface Kit {
  readonly pool: string
  readonly settings: ConnectionSettings
  readonly schema: Schema
  readonly transformed: Dialect
  readonly plain: Dialect
  readonly spanAttributes: ReadonlyArray<readonly [string, unknown]>
  /** The members that do not depend on a connection, and the transaction machinery. */
  readonly client: SqlClient.SqlClient
  /** The lease of the open transaction that the fiber is in. */
  readonly currentLease: (context: Context.Context<never>) => LentConnection | undefined
  /** The lease that `withConnection` gave to the fiber, as long as it lasts. */
  readonly heldLease: (fiber: AnyFiber) => LentConnection | undefined
  /** Runs an effect as one that has been given a lease. */
  readonly holding: <A, E, R>(lease: LentConnection, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly limits: Limits
  /** Where heavy statements go, if they are kept apart. */
  readonly lane: Lane | undefined
  /** The monotonic time in milliseconds. */
  readonly now: () => number
  /** A context from which no transaction can be joined. */
  readonly outsideTransaction: <R>(context: Context.Context<R>) => Context.Context<R>
  /** Runs an effect in a new transaction on a connection of `source`, or in a savepoint of the one it is in. */
  readonly transact: <A, E, R>(source: Acquirer, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  /** The options that `SqlClient.make` needs besides those of its connections. */
  readonly clientOptions: Omit<SqlClient.SqlClient.MakeOptions, "acquirer" | "borrower" | "transactionAcquirer">
  /** Ends a transaction of a lease. */
  readonly commit: (connection: Connection) => Effect.Effect<void, SqlError>
}

const noSource = Effect.die(new Error("a transaction without a source of connections"))

/** The leases that a fiber was given, of whatever pool. */
interface Held {
  readonly kit: object
  readonly lease: LentConnection
  readonly outer: Held | undefined
}

const CurrentHeld = Context.Reference<Held | undefined>("@effect-pools/postgres/Held", {
  defaultValue: (): Held | undefined => undefined
})

type AnyFiber = Fiber.Fiber<unknown, unknown>

let kits = 0

export const make = Effect.fnUntraced(function*(
  pool: string,
  settings: ConnectionSettings,
  options: LimitOptions
): Effect.fn.Return<Kit, never, Reactivity.Reactivity> {
  const clock = yield* Clock.Clock
  const transactionService = Context.Service<
    SqlClient.TransactionConnection,
    SqlClient.TransactionConnection.Service
  >(`@effect-pools/postgres/Transaction/${kits++}`)
  const transformed = dialectOf(settings)
  const clientOptions: Kit["clientOptions"] = {
    transactionService,
    driver: "pg",
    compiler: transformed.compiler,
    spanAttributes: spanAttributesOf(settings),
    prepareTransactionControls: true,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    isTransaction: (connection) => connection instanceof LentConnection && connection.session.isInTransaction,
    commit,
    ...(transformed.transformRows === undefined ? {} : { transformRows: transformed.transformRows })
  }
  // Every transaction has its own, so the other is never reached.
  const source: Acquirer = Effect.withFiber((fiber) => fiber.getRef(CurrentLevel)?.source ?? noSource)
  const client = yield* SqlClient.make({ ...clientOptions, acquirer: source, transactionAcquirer: source })
  const kit: Kit = {
    pool,
    settings,
    schema: { changes: 0, statements: new Statements(), notices: new Notices() },
    transformed,
    plain: { compiler: transformed.compiler.withoutTransform, transformRows: undefined },
    spanAttributes: clientOptions.spanAttributes,
    client,
    currentLease: (context) => leaseOf(Context.getOrUndefined(context, transactionService)),
    // The service is never part of `R`: it is found by asking whether it is there.
    outsideTransaction: (context) => Context.omit(transactionService)(context) as typeof context,
    transact: (source, effect) => transact(kit, source, effect),
    heldLease: (fiber) => {
      let held = fiber.getRef(CurrentHeld)
      while (held !== undefined && !(held.kit === kit && held.lease.isActive && !held.lease.isShared)) held = held.outer
      return held?.lease
    },
    holding: (lease, effect) =>
      Effect.withFiber((fiber) =>
        Effect.provideService(effect, CurrentHeld, { kit, lease, outer: fiber.getRef(CurrentHeld) })
      ),
    limits: limitsOf(options),
    lane: laneOf(settings.heavy, options.maxConnections ?? 20),
    now: () => steadyMillis(clock),
    clientOptions,
    commit
  }
  return kit
})

const laneOf = (heavy: HeavyRules | undefined, maxConnections: number): Lane | undefined =>
  heavy === undefined ? undefined : new Lane(new Costs(heavy), Math.max(1, Math.floor(heavy.share * maxConnections)))

/** A transaction has its connection to itself: fibers that are not in it wait. */
const transact = <A, E, R>(
  kit: Kit,
  source: Acquirer,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.withFiber((fiber) => {
    const level = new Level(fiber.getRef(CurrentLevel))
    const outer = kit.currentLease(fiber.context)
    if (outer === undefined) {
      // Left with the scope of the connection, before what is to be done after the commit.
      level.source = Effect.flatMap(source, (connection) => (connection as LentConnection).enter(level))
      return Effect.provideService(kit.client.withTransaction(effect), CurrentLevel, level)
    }
    const inside = kit.client.withTransaction(Effect.provideService(effect, CurrentLevel, level))
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Scope.make(), (scope) =>
        Effect.onExit(
          Effect.andThen(restore(Scope.provide(outer.enter(level), scope)), restore(inside)),
          (exit) => Scope.close(scope, exit)
        ))
    )
  })

const leaseOf = (transaction: SqlClient.TransactionConnection.Service | undefined): LentConnection | undefined =>
  transaction !== undefined && transaction[0] instanceof LentConnection ? transaction[0] : undefined

const dialectOf = (settings: ConnectionSettings): Dialect => ({
  compiler: Compiler.make(PgClient.makeCompiler(settings.transformQueryNames, settings.transformJson)),
  transformRows: settings.transformResultNames === undefined
    ? undefined
    : Statement.defaultTransforms(settings.transformResultNames, settings.transformJson).array
})

const spanAttributesOf = (settings: ConnectionSettings): ReadonlyArray<readonly [string, unknown]> => [
  ...Object.entries(settings.spanAttributes ?? {}),
  ["db.system.name", "postgresql"],
  ["db.namespace", settings.database ?? settings.username ?? "postgres"],
  ["server.address", settings.host],
  ["server.port", settings.port]
]

// The server answers ROLLBACK to the COMMIT of a transaction that an error has aborted before.
const commit = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.suspend(() => {
    const lease = connection instanceof LentConnection ? connection : undefined
    const abortedBy = lease?.session.wire.abortedBy
    return Effect.flatMap(lease === undefined ? connection.executeRaw("COMMIT", []) : lease.commit(), (result) =>
      (result as { readonly command?: unknown }).command === "ROLLBACK"
        ? Effect.fail(new SqlError({ reason: abortedReason(abortedBy) }))
        : Effect.void)
  })

const abortedReason = (
  by: { readonly code?: string | undefined; readonly message?: string | undefined } | undefined
): SqlErrorReason => {
  const cause = Object.assign(new Error(by?.message ?? "an earlier statement failed"), { code: by?.code })
  const message = `COMMIT rolled back, since an earlier statement had failed: ${cause.message}`
  const props = { cause, message, operation: "commit" }
  switch (by?.code) {
    case "40001":
      return new SerializationError(props)
    case "40P01":
      return new DeadlockError(props)
    default:
      return new UnknownError(props)
  }
}

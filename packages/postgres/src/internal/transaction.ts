/**
 * Transactions with options: how they begin, and when they are tried again.
 */
import { effectOf } from "@effect-pools/core/Callback"
import { type PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { PostgresConnection } from "./connectionModel.ts"
import { toSqlError } from "./client.ts"
import type { Kit } from "./kit.ts"
import type { LentConnection } from "./lent.ts"
import { leaseOf } from "./leaseClient.ts"
import type { Isolation, PostgresPool, TransactionOptions } from "./model.ts"
import * as Runtime from "./runtime.ts"
import { isOutdated, serverError } from "./session.ts"

/** Runs `f` in a new transaction, or in a savepoint if the fiber is in one of this pool. */
export const run = <A, E, R>(
  pool: PostgresPool,
  f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
  options: TransactionOptions
): Effect.Effect<A, E | SqlError | PoolError, R> =>
  Effect.withFiber<A, E | SqlError | PoolError, R>((fiber) => {
    const body = (sql: PostgresConnection) => effectOf(pool.name, f(sql))
    const outer = Runtime.runtimes.of(pool)?.kit.currentLease(fiber.context)
    const broken = brokenRule(options, outer)
    if (broken !== undefined) return Effect.die(new PoolMisuse({ pool: pool.name, rule: broken }))
    if (outer !== undefined) return outer.lent.withTransaction(Effect.suspend(() => body(outer.lent)))
    const inherited = fiber.getRef(SqlClient.BeginTransaction)
    const once = transactionOf(pool, fiber, body, options, inherited)
    return options.retry === undefined
      ? once
      : Effect.retry(marked(once), { schedule: options.retry, while: isConflict })
  })

/** From the second time on it says that it is a retry, which a pool may have a budget for. */
const marked = <A, E, R>(once: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  let isFirst = true
  return Effect.suspend(() => {
    if (!isFirst) return Traffic.with(once, { isRetry: true })
    isFirst = false
    return once
  })
}

const transactionOf = <A, E, R>(
  pool: PostgresPool,
  fiber: Fiber.Fiber<unknown, unknown>,
  f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
  options: TransactionOptions,
  inherited: string | undefined
): Effect.Effect<A, E | SqlError | PoolError, R> => {
  const known = Runtime.runtimes.of(pool)
  const held = known?.kit.heldLease(fiber)
  // On the connection that `withConnection` gave: what is done with that one's client is then part of it.
  if (known !== undefined && held !== undefined) return begun(known.kit, Effect.succeed(held), f, options, inherited)
  const runtime = Runtime.runtimes.ofPristine(pool)
  return runtime === undefined
    ? pool.withConnection((sql) => within(sql, f, options, inherited), { label: options.label })
    : begun(runtime.kit, runtime.bare.acquireWith({ label: options.label }), f, options, inherited)
}

/** A transaction on a connection that is lent already. */
const within = <A, E, R>(
  sql: PostgresConnection,
  f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
  options: TransactionOptions,
  inherited: string | undefined
): Effect.Effect<A, E | SqlError, R> => {
  const lease = leaseOf(sql)
  const body = Effect.suspend(() => {
    if (lease !== undefined) declare(lease, options)
    return f(sql)
  })
  return beginning(options, inherited, body, (body) => sql.withTransaction(body))
}

/** The statement is for this transaction alone, not for those of other pools inside it. */
const beginning = <A, E, R, E2>(
  options: TransactionOptions,
  inherited: string | undefined,
  body: Effect.Effect<A, E, R>,
  transact: (body: Effect.Effect<A, E, R>) => Effect.Effect<A, E2, R>
): Effect.Effect<A, E2, R> => {
  const statement = begin(options)
  if (statement === inherited) return transact(body)
  const inside = Effect.provideService(body, SqlClient.BeginTransaction, inherited)
  return Effect.provideService(transact(inside), SqlClient.BeginTransaction, statement)
}

/**
 * The connection is taken and given back by the transaction itself, so that it is back before the effects of
 * `afterCommit` run, which may need one.
 */
export const begun = <A, E, R>(
  kit: Kit,
  lease: Effect.Effect<LentConnection, PoolError, Scope.Scope>,
  f: (sql: PostgresConnection) => Effect.Effect<A, E, R>,
  options: TransactionOptions,
  inherited: string | undefined
): Effect.Effect<A, E | SqlError | PoolError, R> =>
  Effect.suspend(() => {
    // The pool's error passes through the transaction as a `SqlError` and is itself again outside.
    let refusal: { readonly by: PoolError; readonly as: SqlError } | undefined
    let borrowed: LentConnection
    const source = Effect.matchEffect(lease, {
      onFailure: (by) => Effect.fail((refusal = { by, as: toSqlError(by) }).as),
      onSuccess: (lease) => Effect.succeed(borrowed = lease)
    })
    const body = Effect.suspend(() => {
      declare(borrowed, options)
      return f(borrowed.lent)
    })
    return beginning(options, inherited, body, (body) => kit.transact(source, body)).pipe(
      Effect.mapError((error) => refusal !== undefined && error === refusal.as ? refusal.by : error)
    )
  })

/** Only the fibers of the transaction ask for it, and only while it is open. */
const declare = (lease: LentConnection, options: TransactionOptions): void => {
  lease.transaction = {
    isolation: options.isolation ?? "read committed",
    isReadOnly: options.readOnly === true,
    isDeferrable: options.deferrable === true
  }
  lease.session.isReadOnly = options.readOnly === true
}

/** The rule that the options break, if any. */
const brokenRule = (options: TransactionOptions, outer: LentConnection | undefined): string | undefined => {
  if (options.deferrable === true && !(options.isolation === "serializable" && options.readOnly === true)) {
    return "deferrable has no effect unless the transaction is serializable and readOnly"
  }
  if (outer === undefined) return undefined
  const open = outer.transaction
  const isolation = options.isolation ?? "read committed"
  if (strength.indexOf(isolation) > strength.indexOf(open?.isolation ?? "read committed")) {
    return `a nested transaction can't be ${isolation}: the outermost one, which is ${
      open?.isolation ?? "read committed"
    }, decides`
  }
  if (options.readOnly === true && open?.isReadOnly !== true) {
    return "a nested transaction can't be readOnly: the outermost one decides"
  }
  if (options.deferrable === true && open?.isDeferrable !== true) {
    return "a nested transaction can't be deferrable: the outermost one decides"
  }
  return undefined
}

const strength: ReadonlyArray<string> = ["read committed", "repeatable read", "serializable"] satisfies ReadonlyArray<
  Isolation
>

/**
 * The words come from here and never from the options, which could carry SQL. `undefined` is the client's own `BEGIN`, which
 * it prepares.
 */
const begin = ({ deferrable, isolation, readOnly }: TransactionOptions): string | undefined =>
  isolation === undefined && readOnly !== true && deferrable !== true ? undefined : [
    "BEGIN",
    isolation === undefined ? "" : ` ISOLATION LEVEL ${levels[isolation]}`,
    readOnly === true ? " READ ONLY" : "",
    deferrable === true ? " DEFERRABLE" : ""
  ].join("")

const levels: Readonly<Record<Isolation, string>> = {
  "read committed": "READ COMMITTED",
  "repeatable read": "REPEATABLE READ",
  "serializable": "SERIALIZABLE"
}

/**
 * Whether the same work may succeed when it is done again: the transaction only lost against another one, or met a
 * statement that had been prepared before the schema changed.
 */
const isConflict = (error: unknown): boolean =>
  isSqlError(error) &&
  (error.reason._tag === "SerializationError" || error.reason._tag === "DeadlockError" || isOutdated(error) ||
    // Somebody else deallocated it.
    serverError(error).code === "26000")

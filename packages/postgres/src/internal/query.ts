/**
 * A statement with something to say about it: how long it may take, how often it is tried again, and how it waits.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import { PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isSqlError, SqlError, StatementTimeoutError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type { PostgresPool, QueryOptions } from "./model.ts"
import * as Runtime from "./runtime.ts"
import * as Verdict from "./verdict.ts"

type AnyEffect = Effect.Effect<unknown, unknown, unknown>
type Ask = (sql: Statement.Constructor) => AnyEffect

/** Runs one statement. Without options the short way is taken. */
export const run = (pool: PostgresPool, ask: Ask, options: QueryOptions | undefined): AnyEffect => {
  const runtime = Runtime.runtimes.ofPristine(pool)
  if (options === undefined) return runtime === undefined ? decorated(pool, ask) : ask(runtime.sql)
  const broken = OptionRules.check(rules, options)
  if (Result.isFailure(broken)) {
    const { option, rule } = broken.failure
    return Effect.die(new PoolMisuse({ pool: pool.name, rule: `option ${option} of query: ${rule}` }))
  }
  const { label, priority, retries = 0 } = options
  const statement = runtime === undefined
    ? undefined
    : ask(label === undefined && priority === undefined ? runtime.sql : runtime.sqlWith({ label, priority }))
  const once = limited(statement ?? pool.withConnection(ask, { label, priority }), options)
  if (retries === 0) return once
  return Effect.withFiber((fiber) =>
    // The transaction has failed with it, and nothing more can be done in it.
    Runtime.runtimes.of(pool)?.kit.currentLease(fiber.context) === undefined
      ? Traffic.retry(once, { times: retries, while: (error) => isWorthIt(error, statement) })
      : once
  )
}

/** A pool that was decorated is asked for each connection by its own members, and shares them as it did before. */
const decorated = (pool: PostgresPool, ask: Ask): AnyEffect => {
  const { sharing = 1 } = Runtime.runtimes.of(pool)?.kit.settings ?? {}
  return sharing === 1 ? pool.withConnection(ask) : ask(Runtime.sharedStatements(pool))
}

const rules: OptionRules.Rules<QueryOptions> = {
  timeout: OptionRules.duration(1),
  retries: OptionRules.count(0, 100),
  label: OptionRules.text,
  priority: OptionRules.oneOf("high", "normal", "low")
}

const limited = (statement: AnyEffect, { timeout }: QueryOptions): AnyEffect => {
  const millis = OptionRules.millisOf(timeout)
  return millis === undefined ? statement : Effect.timeoutOrElse(statement, {
    duration: millis,
    orElse: () => Effect.fail(new SqlError({ reason: outOfTime(millis) }))
  })
}

const outOfTime = (millis: number): StatementTimeoutError => {
  const message = `the query took longer than ${millis} ms (timeout), its wait for a connection included`
  const reason = new StatementTimeoutError({ cause: new Error(message), message, operation: "query" })
  ownLimits.add(reason)
  return reason
}

/** The time limits of `query` itself: nobody knows how far such a statement has come. */
const ownLimits = new WeakSet<object>()

/** Whether it may be tried again: what was not carried out, or changes nothing. */
const isWorthIt = (error: unknown, statement: AnyEffect | undefined): boolean => {
  if (error instanceof PoolError) return error.isRetryable
  if (!isSqlError(error) || !error.isRetryable) return false
  return !ownLimits.has(error.reason) || (statement !== undefined && onlyReads(statement))
}

/** Nobody knows what an effect does that is no statement. */
const onlyReads = (statement: AnyEffect): boolean =>
  "compile" in statement && typeof statement.compile === "function" &&
  !Verdict.of((statement as unknown as Statement.Statement<unknown>).compile()[0]).mayWrite

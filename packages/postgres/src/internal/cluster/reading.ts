/**
 * The member `read`: what is run where a read goes.
 */
import { effectOf } from "@effect-pools/core/Callback"
import * as OptionRules from "@effect-pools/core/OptionRules"
import { type PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Acquirer, Borrower } from "effect/sql/SqlConnection"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import type { ClusterError } from "../../ClusterError.ts"
import type { Kit } from "../kit.ts"
import type { LentConnection } from "../lent.ts"
import * as Session from "../session.ts"
import * as Transaction from "../transaction.ts"
import * as Untraced from "../untraced.ts"
import * as Verdict from "../verdict.ts"
import type { Cluster } from "./cluster.ts"
import { joinsEqual } from "./degraded.ts"
import { copied, type Flights, frozen, keyOf } from "./flights.ts"
import type { ReadOptions } from "./model.ts"
import * as Reads from "./reads.ts"
import { viewOf } from "./route.ts"

type AnyEffect = Effect.Effect<any, any, any>

/** The options of the read around a single statement. */
const CurrentOptions = Context.Reference<ReadOptions>("@effect-pools/postgres/ReadOptions", {
  defaultValue: (): ReadOptions => none
})

const none: ReadOptions = Object.freeze({})

export interface Reading {
  /** Makes statements that go where reads go, each for itself unless a transaction is open. */
  readonly sql: Statement.Constructor
  readonly read: (ask: (sql: Statement.Constructor) => AnyEffect, options: ReadOptions | undefined) => AnyEffect
}

export const make = (cluster: Cluster, kit: Kit, flights: Flights): Reading => {
  const borrower = ((f: (lease: LentConnection) => AnyEffect) =>
    Effect.withFiber((fiber) => {
      const current = kit.currentLease(fiber.context)
      if (current !== undefined) return f(current)
      return routed(cluster, fiber.getRef(CurrentOptions), (lease, isOnPrimary) =>
        // The server of a standby refuses writes by itself.
        isOnPrimary
          ? Effect.retry(readOnly(kit, lease, f(lease), none), { times: 1, while: isOutdated })
          : f(lease))
    })) as Borrower
  const acquirer: Acquirer = Effect.withFiber((fiber) => {
    const current = kit.currentLease(fiber.context)
    // Only a single statement is outside of a transaction, and that is no stream.
    return current === undefined
      ? Effect.die(new Error("a stream of a read must be run inside of the effect that read is given"))
      : Effect.succeed(current)
  })
  const { compiler, transformRows } = kit.transformed
  const sql = Untraced.tagOf(Statement.make(acquirer, compiler, kit.spanAttributes, transformRows, borrower))
  return {
    sql,
    read: (ask, options) =>
      Effect.withFiber((fiber) => {
        const rule = options === undefined ? undefined : brokenRule(options)
        if (rule !== undefined) return Effect.die(new PoolMisuse({ pool: cluster.name, rule }))
        const effect = effectOf(cluster.name, ask(sql))
        if (kit.currentLease(fiber.context) !== undefined) return effect
        if (isSingleRead(effect) && options?.isolation === undefined) {
          const one = options === undefined ? effect : Effect.provideService(effect, CurrentOptions, options)
          const statement = effect as unknown as Statement.Statement<unknown>
          return joined(cluster, fiber, flights, statement, one, options ?? none)
        }
        const whole = routed(cluster, options ?? none, (lease) => readOnly(kit, lease, effect, options ?? none))
        // The change of the schema comes to each server at a time of its own.
        return Effect.retry(whole, { times: cluster.places.length, while: isOutdated })
      })
  }
}

/**
 * Whether it is one statement that reads. One that would write has a read-only transaction around it everywhere: a standby
 * may have become the primary a moment ago.
 */
const isSingleRead = (effect: AnyEffect): boolean =>
  Statement.isFragment(effect) && !Verdict.of((effect as unknown as Statement.Statement<unknown>).compile()[0]).mayWrite

/** Runs a single read together with equal ones: where that was asked for, or the servers have too much to do. */
const joined = (
  cluster: Cluster,
  fiber: Fiber.Fiber<unknown, unknown>,
  flights: Flights,
  statement: Statement.Statement<unknown>,
  one: AnyEffect,
  { consistency = cluster.settings.consistency, dedupe = cluster.settings.dedupe, maxWait }: ReadOptions
): AnyEffect => {
  if (dedupe === false) return one
  const [text, params] = statement.compile()
  if (dedupe === undefined && !joinsEqual(cluster.places, text)) return one
  // The circumstances that decide about the answer beside the database: who asks, as whom, and how old it may be.
  const about = [consistency, fiber.getRef(Traffic.Traffic).affinity, String(maxWait), String(dedupe)]
  const key = keyOf(text, params, about)
  return key === undefined ? one : flights.run(key, viewOf(cluster, fiber), one, dedupe === true ? frozen : copied)
}

const routed = <A, E, R>(
  cluster: Cluster,
  options: ReadOptions,
  run: Reads.Run<A, E, R>
): Effect.Effect<A, E | PoolError | ClusterError, R> =>
  Effect.withFiber((fiber) => {
    const { consistency, maxWait } = cluster.settings
    const wish: Reads.Wish = {
      // Standbys have no serializable transactions.
      consistency: options.isolation === "serializable" ? "primary" : options.consistency ?? consistency,
      maxWait: OptionRules.millisOf(options.maxWait) ?? maxWait,
      label: options.label
    }
    return Reads.read(cluster, viewOf(cluster, fiber), wish, run, letDown)
  })

const readOnly = (kit: Kit, lease: LentConnection, effect: AnyEffect, { isolation }: ReadOptions): AnyEffect =>
  Effect.withFiber((fiber) =>
    Transaction.begun(
      kit,
      Effect.succeed(lease),
      () => effect,
      { readOnly: true, isolation },
      fiber.getRef(SqlClient.BeginTransaction)
    )
  )

/** Whether a statement in it was prepared before the schema changed: what only reads may be done again. */
const isOutdated = (error: unknown): boolean => isSqlError(error) && Session.isOutdated(error as SqlError)

const rules: OptionRules.Rules<ReadOptions> = {
  consistency: OptionRules.oneOf("session", "eventual", "primary"),
  maxWait: OptionRules.duration(0),
  isolation: OptionRules.oneOf("read committed", "repeatable read", "serializable"),
  dedupe: OptionRules.flag,
  label: OptionRules.text
}

const brokenRule = (options: ReadOptions): string | undefined =>
  Result.match(OptionRules.check(rules, options), {
    onFailure: ({ option, rule }) => `option ${option} of read: ${rule}`,
    onSuccess: () => undefined
  })

const letDown: Reads.LetDown<unknown> = (error) => {
  if (!isSqlError(error)) return undefined
  const { code } = Session.serverError(error as SqlError)
  if (code === undefined) return error.reason._tag === "ConnectionError" ? "lost" : undefined
  return cancelled.test(code) ? "cancelled" : lost.test(code) ? "lost" : undefined
}

const cancelled = /^(?:40001|40P01)$/
const lost = /^(?:57P0[1-5]|25P04|08...)$/

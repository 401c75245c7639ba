/**
 * A lease of a balanced pool: to an upstream, and on to the next one as long as the caller's effect has not begun.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Outcome } from "../model/balanced.ts"
import type { LeaseOptions } from "../model/connection.ts"
import { PoolError, type PoolErrorReason, PoolPaused } from "../../PoolError.ts"
import { attempt, Threw } from "../base/attempt.ts"
import type { Balancer } from "./balancer.ts"
import { Trip } from "./trip.ts"
import type { Upstream } from "./upstream.ts"

// A trip is typed by what it does to the upstreams, not by what they lend: `any` stays inside this folder.
type AnyEffect = Effect.Effect<any, any, any>

/** Runs a caller's effect with a connection of one of the upstreams. */
export const lend = (
  balancer: Balancer,
  f: (connection: any) => AnyEffect,
  options: LeaseOptions | undefined,
  isShared: boolean
): AnyEffect =>
  Effect.suspend(() => {
    const trip = new Trip(balancer, options)
    const body = (connection: any): AnyEffect => {
      trip.start()
      return f(connection)
    }
    const go = ({ pool }: Upstream): AnyEffect =>
      isShared ? pool.withShared(body, trip.options) : pool.withConnection(body, trip.options)
    return travel(balancer, trip, go, (exit) => end(balancer, trip, exit))
  })

/** Gets a connection of one of the upstreams until the scope closes. */
export const lendScoped = (balancer: Balancer, options: LeaseOptions | undefined): AnyEffect =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const trip = new Trip(balancer, options)
      const scope = Context.getUnsafe(fiber.context, Scope.Scope)
      const go = ({ pool }: Upstream): AnyEffect => restore(pool.acquireWith(trip.options))
      return travel(balancer, trip, go, (exit) => {
        if (Exit.isFailure(exit)) return end(balancer, trip, exit)
        trip.start()
        return Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => end(balancer, trip, exit)))
      })
    })
  )

// The end of a stay is installed before its beginning, so that no interruption can come between.
const travel = (
  balancer: Balancer,
  trip: Trip,
  go: (upstream: Upstream) => AnyEffect,
  onExit: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void> | undefined
): AnyEffect =>
  Effect.catchCause(
    Effect.onExitPrimitive(
      Effect.suspend(() => {
        const upstream = trip.begin()
        return upstream === undefined ? Effect.fail(nowhere(balancer)) : go(upstream)
      }),
      onExit
    ),
    (cause) => goesOn(balancer, trip, cause) ? travel(balancer, trip, go, onExit) : Effect.failCause(cause)
  )

const nowhere = ({ config }: Balancer): PoolError =>
  new PoolError({
    pool: config.name,
    reason: new PoolPaused({ because: "the balanced pool has no upstream with a weight above 0" })
  })

/** Whether the caller may try another upstream: it has not begun, has time left, and was refused for what is there. */
const goesOn = (balancer: Balancer, trip: Trip, cause: Cause.Cause<unknown>): boolean => {
  if (trip.isStarted || Cause.hasInterrupts(cause)) return false
  // It was told to. If its time is up just now, the next upstream will say so.
  if (trip.isMoving) return true
  const reason = reasonOf(cause)
  if (reason === undefined || !isLocal(reason)) return false
  return balancer.time.now() - trip.askedAt < trip.limit && trip.hasNext
}

/** Why an upstream's pool gave no connection, if nothing else is the matter. */
const reasonOf = (cause: Cause.Cause<unknown>): PoolErrorReason | undefined => {
  const reason = cause.reasons.length === 1 ? cause.reasons[0] : undefined
  return reason !== undefined && Cause.isFailReason(reason) && reason.error instanceof PoolError
    ? reason.error.reason
    : undefined
}

/** Whether another upstream may do better. A caller whose time is up has none left for another. */
const isLocal = (reason: PoolErrorReason): boolean => {
  switch (reason._tag) {
    case "ConnectFailed":
    case "BreakerOpen":
    case "QueueFull":
    case "Overloaded":
    case "PoolPaused":
    case "PoolClosed":
      return true
    case "AcquireTimeout":
    case "QueueCleared":
    case "InvalidOption":
      return false
  }
}

const end = (balancer: Balancer, trip: Trip, exit: Exit.Exit<unknown, unknown>): undefined => {
  const { upstream } = trip
  if (upstream === undefined) return undefined
  trip.end(upstream)
  const now = balancer.time.now()
  if (!trip.isStarted) return refused(balancer, trip, upstream, exit, now)
  if (Exit.isFailure(exit) && !Cause.hasInterrupts(exit.cause)) upstream.failed(now)
  balancer.record(upstream, judge(balancer, trip, upstream, exit, now), trip.since, now)
  return undefined
}

const judge = (
  { settings }: Balancer,
  trip: Trip,
  upstream: Upstream,
  exit: Exit.Exit<unknown, unknown>,
  now: number
): Outcome => {
  const isBroken = trip.isBroken && upstream.broke(trip.since, now)
  const outcome = attempt(settings, settings.classify, exit, { isBroken })
  // A judge that throws has nothing against the upstream.
  return outcome instanceof Threw ? "ignore" : outcome
}

/** The verdict on an upstream that gave no connection: only that it can't. */
const refused = (
  balancer: Balancer,
  trip: Trip,
  upstream: Upstream,
  exit: Exit.Exit<unknown, unknown>,
  now: number
): undefined => {
  trip.refusedBy(upstream)
  const reason = Exit.isFailure(exit) ? reasonOf(exit.cause) : undefined
  switch (reason?._tag) {
    case "ConnectFailed":
    case "BreakerOpen":
      balancer.failing(upstream, now)
      return
    case "AcquireTimeout": {
      // Nothing was open in all that time: its dials hang. A caller that came late has not waited long enough to know.
      const { checking, idle, used } = reason.stats
      if (idle + used + checking === 0 && reason.elsewhere === 0) balancer.failing(upstream, now)
      return
    }
    case "PoolPaused":
    case "PoolClosed":
      upstream.shut()
      return
    case "QueueFull":
    case "InvalidOption":
    case undefined:
      return
  }
}

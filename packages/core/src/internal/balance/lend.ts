/**
 * A lease of a balanced pool: to an upstream, and on to the next one as long as the caller's effect has not begun.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Outcome } from "../../BalancedPool.ts"
import type { LeaseOptions } from "../../ConnectionPool.ts"
import { PoolError, type PoolErrorReason } from "../../PoolError.ts"
import { attempt, Threw } from "../base/attempt.ts"
import { onward, type RequestOptions } from "../line/lease.ts"
import type { Balancer } from "./balancer.ts"
import { choose } from "./choose.ts"
import type { Upstream } from "./upstream.ts"

// A trip is typed by what it does to the upstreams, not by what they lend: `any` stays inside this folder.
type AnyEffect = Effect.Effect<any, any, any>

const none: ReadonlyArray<Upstream> = []

/** One caller's way through the upstreams. */
class Trip {
  /** When it went to its first upstream. */
  askedAt = 0
  /** When it went to the one where it is. */
  since = 0
  /** Where it is: set from the moment it counts there until it no longer does. */
  upstream: Upstream | undefined = undefined
  tried: ReadonlyArray<Upstream> = none
  /** Whether the caller has its connection: from here on there is no other upstream for it. */
  isStarted = false
  readonly options: RequestOptions | undefined

  constructor(options: RequestOptions | undefined) {
    this.options = options
  }

  /** Goes to an upstream that was not tried yet, of which there is one. */
  begin(balancer: Balancer): Upstream {
    this.since = balancer.time.now()
    if (this.tried.length === 0) this.askedAt = this.since
    const upstream = this.upstream = choose(balancer, this.tried, this.since)!
    upstream.inFlight++
    return upstream
  }

  /** How long the caller may be on its way: another balanced pool, of which this is an upstream, may give it less. */
  limit({ config }: Balancer): number {
    return Math.min(config.acquireTimeout, this.options?.[onward]?.left ?? Infinity)
  }

  /** What the next upstream is told of the lease: how long it was with the others. */
  optionsAt(balancer: Balancer): RequestOptions | undefined {
    if (this.tried.length === 0) return this.options
    const waited = this.since - this.askedAt
    const elsewhere = waited + (this.options?.[onward]?.elsewhere ?? 0)
    return { ...this.options, [onward]: { elsewhere, left: this.limit(balancer) - waited } }
  }
}

/** Runs a caller's effect with a connection of one of the upstreams. */
export const lend = (
  balancer: Balancer,
  f: (connection: any) => AnyEffect,
  options: LeaseOptions | undefined,
  isShared: boolean
): AnyEffect =>
  Effect.suspend(() => {
    const trip = new Trip(options)
    const body = (connection: any): AnyEffect => {
      trip.isStarted = true
      return f(connection)
    }
    const go = ({ pool }: Upstream): AnyEffect => {
      const options = trip.optionsAt(balancer)
      return isShared ? pool.withShared(body, options) : pool.withConnection(body, options)
    }
    return travel(balancer, trip, go, (exit) => end(balancer, trip, exit))
  })

/** Gets a connection of one of the upstreams until the scope closes. */
export const lendScoped = (balancer: Balancer, options: LeaseOptions | undefined): AnyEffect =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const trip = new Trip(options)
      const scope = Context.getUnsafe(fiber.context, Scope.Scope)
      const go = ({ pool }: Upstream): AnyEffect => restore(pool.acquireWith(trip.optionsAt(balancer)))
      return travel(balancer, trip, go, (exit) => {
        if (Exit.isFailure(exit)) return end(balancer, trip, exit)
        trip.isStarted = true
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
      Effect.suspend(() => go(trip.begin(balancer))),
      onExit
    ),
    (cause) => hasNext(balancer, trip, cause) ? travel(balancer, trip, go, onExit) : Effect.failCause(cause)
  )

/** Whether the caller may try another upstream: it has not begun, has time left, and was refused for what is there. */
const hasNext = (balancer: Balancer, trip: Trip, cause: Cause.Cause<unknown>): boolean => {
  const reason = trip.isStarted ? undefined : reasonOf(cause)
  if (reason === undefined || !isLocal(reason)) return false
  const waited = balancer.time.now() - trip.askedAt
  return waited < trip.limit(balancer) && trip.tried.length < balancer.upstreams.length
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
    case "PoolPaused":
    case "PoolClosed":
      return true
    case "AcquireTimeout":
    case "InvalidOption":
      return false
  }
}

const end = (balancer: Balancer, trip: Trip, exit: Exit.Exit<unknown, unknown>): undefined => {
  const { upstream } = trip
  if (upstream === undefined) return undefined
  trip.upstream = undefined
  upstream.inFlight--
  const now = balancer.time.now()
  if (trip.isStarted) balancer.record(upstream, judge(balancer, exit), trip.since, now)
  else refused(balancer, trip, upstream, exit, now)
  return undefined
}

const judge = ({ settings }: Balancer, exit: Exit.Exit<unknown, unknown>): Outcome => {
  const outcome = attempt(settings, settings.classify, exit, undefined)
  // Whoever can't judge a lease has nothing against the upstream.
  return outcome instanceof Threw ? "ignore" : outcome
}

/** What it says about an upstream that it gave no connection: only that it can't. */
const refused = (
  balancer: Balancer,
  trip: Trip,
  upstream: Upstream,
  exit: Exit.Exit<unknown, unknown>,
  now: number
): void => {
  trip.tried = [...trip.tried, upstream]
  const reason = Exit.isFailure(exit) ? reasonOf(exit.cause) : undefined
  switch (reason?._tag) {
    case "ConnectFailed":
    case "BreakerOpen":
      return balancer.failing(upstream, now)
    case "AcquireTimeout": {
      // Nothing was open in all that time: its dials hang. A caller that came late has not waited long enough to know.
      const { checking, idle, used } = reason.stats
      if (idle + used + checking === 0 && reason.elsewhere === 0) balancer.failing(upstream, now)
      return
    }
    case "PoolPaused":
    case "PoolClosed":
      upstream.isShut = true
      return
    case "QueueFull":
    case "InvalidOption":
    case undefined:
      return
  }
}

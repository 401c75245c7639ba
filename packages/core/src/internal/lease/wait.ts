/**
 * Waiting in turn: the callers' queue, its deadline, and the ways out of it.
 */
import * as Effect from "effect/Effect"
import { AcquireTimeout, type Holder, PoolClosed, type PoolError, type PoolErrorReason } from "../../PoolError.ts"
import * as TimeLimit from "../../TimeLimit.ts"
import { diagnose } from "../diagnosis/diagnose.ts"
import { observe } from "../diagnosis/observe.ts"
import { emit } from "../watch/events.ts"
import { holders, stats } from "../pool/inspect.ts"
import { type Lease } from "../line/lease.ts"
import { withoutStack } from "../base/withoutStack.ts"
import { nameOf, nothing } from "../line/said.ts"
import { noteWaitInVain } from "../pool/borrowing.ts"
import { lately } from "../pool/lately.ts"
import { borrowersOf, isAmong, isWithinLease } from "../pool/nested.ts"
import type { PoolState } from "../pool/state.ts"

/** Puts a caller in the queue and suspends it until its outcome is known. */
export const wait = (state: PoolState, lease: Lease): Effect.Effect<any, any, any> =>
  Effect.callback((resume) => {
    // It may have given way after it was admitted: the queue of a closed pool is served by nobody.
    if (state.phase === "closed") return resume(Effect.fail(state.error(new PoolClosed({ state: state.phase }))))
    lease.resume = resume
    enter(state, lease)
    state.settle()
    // No clean-up here: an interrupted caller leaves the queue when it checks in what it has not got.
  })

const enter = (state: PoolState, lease: Lease): void => {
  if (state.places.used >= state.places.limit && !isKnownAlone(lease) && isWithinLease(state, lease)) {
    lease.isNested = true
  }
  const onwards = lease.request.options?.onward
  state.line.enter(lease, state.time.now(), onwards?.left)
  onwards?.waits((outcome) => state.act(() => recall(state, lease, outcome)))
  // Nobody would wait for the answer any more.
  if (lease.deadline <= lease.since) return giveUp(state, lease, 0, explainTimeout(state))
  if (lease.deadline < state.watchedUntil) watchDeadlines(state, lease.deadline)
}

/** Whether the order has found already that it holds nothing: one that holds a connection counts as high. */
const isKnownAlone = ({ said }: Lease): boolean => said !== undefined && said !== nothing && said.priority !== "high"

/** Fails everybody in the queue, or some of them, in the order in which they would have been served. */
export const failWaiters = (
  state: PoolState,
  reason: (waited: number) => PoolErrorReason,
  isMeant: (lease: Lease) => boolean = () => true
): number => {
  const now = state.time.now()
  let failed = 0
  for (const lease of state.line.order) {
    if (!isMeant(lease)) continue
    state.line.leave(lease)
    state.line.wake(lease, Effect.fail(withoutStack(() => state.error(reason(now - lease.since)))))
    failed++
  }
  state.counts.add("failed", failed)
  if (failed > 0) state.callerFailed(now)
  return failed
}

/** Takes a waiter out of the queue that is to go on to another upstream of a balanced pool. */
const recall = (state: PoolState, lease: Lease, outcome: Effect.Effect<any, any, any>): void => {
  if (!lease.isQueued) return
  state.line.leave(lease)
  state.counts.add("interrupted")
  state.line.wake(lease, outcome)
}

/** Fails those in the queue whom another upstream of a balanced pool might serve: there is nothing to wait for here. */
export const sendOn = (state: PoolState, reason: (waited: number) => PoolErrorReason): void => {
  const now = state.time.now()
  for (const lease of state.line.order) {
    if (lease.request.options?.onward?.mayLeave() !== true) continue
    state.line.leave(lease)
    state.line.wake(lease, Effect.fail(withoutStack(() => state.error(reason(now - lease.since)))))
    state.counts.add("failed")
    state.callerFailed(now)
  }
}

/** One timer serves all who wait. It is set anew only for somebody whose time is up before it. */
const watchDeadlines = (state: PoolState, until: number): void => {
  state.deadlineWatch?.interruptUnsafe()
  state.watchedUntil = until
  state.deadlineWatch = state.fork(deadlines(state))
}

const deadlines = (state: PoolState): Effect.Effect<void> =>
  Effect.suspend(() => {
    const next = state.line.nextToExpire
    if (next === undefined) {
      state.watchedUntil = Infinity
      return Effect.void
    }
    state.watchedUntil = next.deadline
    const left = next.deadline - state.time.now()
    if (left > 0) return Effect.andThen(TimeLimit.sleep(left), deadlines(state))
    noteWaitInVain(state, state.time.now() - (state.line.oldest?.since ?? state.time.now()))
    return Effect.andThen(timeOut(state, state.time.now(), explainTimeout(state)), deadlines(state))
  })

/** How many time out in one turn of the event loop. */
const mostAtOnce = 100

const timeOut = (state: PoolState, now: number, explain: Explain): Effect.Effect<void> =>
  Effect.suspend(() => {
    let count = 0
    for (; count < mostAtOnce; count++) {
      const lease = state.line.nextToExpire
      if (lease === undefined || now < lease.deadline) break
      giveUp(state, lease, now - lease.since, explain)
    }
    state.settle()
    // A crowd whose time is up at once must not stall the loop.
    return count < mostAtOnce ? Effect.void : Effect.andThen(Effect.yieldNow, timeOut(state, now, explain))
  })

const giveUp = (state: PoolState, lease: Lease, waited: number, explain: Explain): void => {
  state.counts.timedOut(waited)
  state.callerFailed(state.time.elapsed)
  // A deadline that was over when the caller came is no fault of the pool.
  if (waited > 0) state.line.order.overload?.failed(lease)
  if (state.events.isHeard) emit(state, { _tag: "AcquireTimedOut", ...nameOf(lease), waited })
  state.line.leave(lease)
  state.line.wake(lease, explain(lease, waited))
}

type Explain = (lease: Lease, waited: number) => Effect.Effect<never, PoolError>

/** The numbers are read once for all whose time is up together: a thousand of them must not stall the loop. */
const explainTimeout = (state: PoolState): Explain => {
  const common = commonLately(state)
  const borrowers = borrowersOf(state)
  const told = new Map<number, { readonly reason: AcquireTimeout; readonly outcome: Effect.Effect<never, PoolError> }>()
  return (lease, waitedHere) => {
    const elsewhere = lease.request.options?.onward?.elsewhere ?? 0
    const waited = elsewhere + waitedHere
    const option = isOwnDeadline(state, lease) ? state.line.order.limitOf?.(lease) ?? "deadline" : "acquireTimeout"
    const holdsAlready = isAmong(borrowers, lease)
    const before = told.get(waited)
    // Making two errors is half of what a time-out costs, so callers of whom the same is to be said share them.
    if (before !== undefined && isSame(before.reason, { elsewhere, option, holdsAlready })) return before.outcome
    const reason = withoutStack(() => new AcquireTimeout({ ...common, option, waited, elsewhere, holdsAlready }))
    const outcome = Effect.fail(withoutStack(() => state.error(reason)))
    told.set(waited, { reason, outcome })
    return outcome
  }
}

const isSame = (
  reason: AcquireTimeout,
  { elsewhere, holdsAlready, option }: Pick<AcquireTimeout, "elsewhere" | "option" | "holdsAlready">
): boolean => reason.option === option && reason.elsewhere === elsewhere && reason.holdsAlready === holdsAlready

/** The facts of the pool that all time-outs of a moment tell. */
const commonOf = (state: PoolState) => {
  const holding: ReadonlyArray<Holder> = holders(state)
  const { failures, lastFailure } = state.dialer
  const lastConnectFailure = lastFailure === undefined
    ? undefined
    : { cause: lastFailure.cause, ago: state.time.now() - lastFailure.at, attempts: failures }
  const attempts = state.places.opening - state.dialer.underWay
  const paced = attempts > 0 ? { attempts, connectRate: state.config.connectRate } : undefined
  const step = state.places.opening > 0 || lastFailure !== undefined
    ? "opening" as const
    : state.trust.validating > 0
    ? "validating" as const
    : "waiting" as const
  const diagnosis = diagnose(observe(state))?.diagnosis
  return { step, stats: stats(state), lastConnectFailure, paced, holders: holding, diagnosis }
}

/** For how long the facts that were read for a time-out are told by the next ones, in milliseconds. */
const trueFor = 50

/**
 * To read the facts takes a millisecond: where callers fail all the time, for each anew it would leave little of the processor
 * to those who are served. What a dial failed with meanwhile is told at once.
 */
const commonLately = lately(trueFor, commonOf, ({ dialer }) => dialer.lastFailure)

/** Whether what the caller said of itself left it less time than the pool gives, or than was left from other upstreams. */
const isOwnDeadline = ({ config }: PoolState, lease: Lease): boolean => {
  const given = Math.min(config.acquireTimeout, lease.request.options?.onward?.left ?? Infinity)
  return lease.deadline < lease.since + given
}

/**
 * Waiting in turn: the callers' queue, its deadline, and the ways out of it.
 */
import * as Effect from "effect/Effect"
import { AcquireTimeout, type Holder, PoolClosed, type PoolErrorReason } from "../../PoolError.ts"
import { emit } from "../watch/events.ts"
import { holders, stats } from "../watch/inspect.ts"
import { labelOf, type Lease, onward } from "./lease.ts"
import type { PoolState } from "../places/state.ts"

/** Puts a caller in the queue and suspends it until its outcome is known. */
export const wait = (state: PoolState, lease: Lease): Effect.Effect<any, any, any> =>
  Effect.callback((resume) => {
    // It may have given way after it was admitted: the queue of a closed pool is served by nobody.
    if (state.phase === "closed") return resume(Effect.fail(state.error(new PoolClosed({ state: state.phase }))))
    lease.resume = resume
    lease.since = state.time.now()
    lease.isQueued = true
    state.waiters.push(lease)
    if (!state.isWatchingDeadlines) watchDeadlines(state)
    const onwards = lease.request.options?.[onward]
    if (onwards !== undefined) {
      if (onwards.left < state.config.acquireTimeout) hurry(state, lease, onwards.left)
      onwards.waits((outcome) => recall(state, lease, outcome))
    }
    // With every connection lent there is nothing to do but wait.
    if (state.used < state.limit || state.sharing.length > 0) state.changed()
    // No clean-up here: an interrupted caller leaves the queue when it checks in what it has not got.
  })

/** Takes a waiter out of the queue, because its outcome is decided or it has given up. */
export const dequeue = (state: PoolState, lease: Lease): void => {
  lease.isQueued = false
  state.waiters.remove(lease)
  if (state.hurried.size === 0) return
  state.hurried.get(lease)?.interruptUnsafe()
  state.hurried.delete(lease)
}

/** Decides the outcome of one that has waited. Its fiber runs on the scheduler's next turn, never inside the caller of this. */
export const wake = (state: PoolState, lease: Lease, outcome: Effect.Effect<any, any, any>): void => {
  lease.outcome = outcome
  if (state.woken.push(lease) === 1) state.dispatcher.scheduleTask(state.resumeWoken, 0)
}

/** Resumes the fibers whose outcome is decided. */
export const resumeWoken = (state: PoolState): void => {
  const woken = state.woken
  state.woken = []
  for (const lease of woken) lease.resume!(lease.outcome!)
}

/** Fails everybody in the queue, first come first. */
export const failWaiters = (state: PoolState, reason: (waited: number) => PoolErrorReason): number => {
  const now = state.time.now()
  let failed = 0
  for (let lease = state.waiters.head; lease !== undefined; lease = state.waiters.head) {
    dequeue(state, lease)
    wake(state, lease, Effect.fail(state.error(reason(now - lease.since))))
    failed++
  }
  state.counts.failed += failed
  return failed
}

/** Takes a waiter out of the queue that is to go on to another upstream of a balanced pool. */
const recall = (state: PoolState, lease: Lease, outcome: Effect.Effect<any, any, any>): void => {
  if (!lease.isQueued) return
  dequeue(state, lease)
  state.counts.interrupted++
  wake(state, lease, outcome)
  state.changed()
}

/** Fails those in the queue whom another upstream of a balanced pool might serve: there is nothing to wait for here. */
export const sendOn = (state: PoolState, reason: (waited: number) => PoolErrorReason): void => {
  const now = state.time.now()
  for (const lease of Array.from(state.waiters)) {
    if (lease.request.options?.[onward]?.mayLeave() !== true) continue
    dequeue(state, lease)
    wake(state, lease, Effect.fail(state.error(reason(now - lease.since))))
    state.counts.failed++
  }
}

/** All but the hurried wait equally long, so the first of them is the first whose time is up, and one timer serves all. */
const watchDeadlines = (state: PoolState): void => {
  state.isWatchingDeadlines = true
  state.fork(deadlines(state))
}

const deadlines = (state: PoolState): Effect.Effect<void> =>
  Effect.suspend(() => {
    const first = state.waiters.head
    if (first === undefined) {
      state.isWatchingDeadlines = false
      return Effect.void
    }
    const left = first.since + state.config.acquireTimeout - state.time.now()
    if (left > 0) return Effect.andThen(Effect.sleep(left), deadlines(state))
    timeOut(state)
    return deadlines(state)
  })

const timeOut = (state: PoolState): void => {
  const now = state.time.now()
  const explain = explainTimeout(state)
  for (let lease = state.waiters.head; lease !== undefined; lease = state.waiters.head) {
    const waited = now - lease.since
    if (waited < state.config.acquireTimeout) break
    giveUp(state, lease, waited, explain)
  }
  state.changed()
}

/** A caller that was at other upstreams of a balanced pool before has less time than the pool gives. */
const hurry = (state: PoolState, lease: Lease, left: number): void => {
  const timeIsUp = Effect.sync(() => {
    // First, since whoever leaves the queue ends this fiber.
    state.hurried.delete(lease)
    giveUp(state, lease, state.time.now() - lease.since, explainTimeout(state))
    state.changed()
  })
  state.hurried.set(lease, state.fork(Effect.andThen(Effect.sleep(left), timeIsUp)))
}

const giveUp = (state: PoolState, lease: Lease, waited: number, explain: Explain): void => {
  state.counts.timedOut++
  state.counts.wait.record(waited)
  emit(state, { _tag: "AcquireTimedOut", label: labelOf(lease), waited })
  dequeue(state, lease)
  wake(state, lease, Effect.fail(state.error(explain(lease, waited))))
}

type Explain = (lease: Lease, waited: number) => AcquireTimeout

/** The numbers are read once for all whose time is up together: a thousand of them must not stall the loop. */
const explainTimeout = (state: PoolState): Explain => {
  const numbers = stats(state)
  const longest: ReadonlyArray<Holder> = holders(state)
  const { failures, lastFailure } = state.dialer
  const lastConnectFailure = lastFailure === undefined
    ? undefined
    : { cause: lastFailure.cause, ago: state.time.now() - lastFailure.at, attempts: failures }
  const step = state.opening > 0 || lastFailure !== undefined
    ? "opening"
    : state.validating > 0
    ? "validating"
    : "waiting"
  return (lease, waited) => {
    const elsewhere = lease.request.options?.[onward]?.elsewhere ?? 0
    return new AcquireTimeout({
      option: "acquireTimeout",
      step,
      waited: elsewhere + waited,
      elsewhere,
      stats: numbers,
      lastConnectFailure,
      holders: longest,
      holdsAlready: holdsAlready(state, lease)
    })
  }
}

const holdsAlready = (state: PoolState, lease: Lease): boolean => {
  for (const connection of state.connections) {
    for (const held of connection.holders) if (held.fiber === lease.fiber) return true
  }
  return false
}

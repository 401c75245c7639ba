/**
 * The end of a pool, in bounded time: serve the queue and wait for borrowers until `drainTimeout`, then close what is
 * left under its borrower, each close within `closeTimeout`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { DrainReport } from "../model/connection.ts"
import { type Holder, PoolClosed } from "../../PoolError.ts"
import { describeHolder } from "../../Describe.ts"
import { emit, inform, warn } from "../watch/events.ts"
import { holders } from "../pool/inspect.ts"
import { nameOf } from "../line/said.ts"
import { lastCloses } from "./drainWithin.ts"
import { discard } from "../pool/close.ts"
import { retire } from "../pool/retire.ts"
import type { DrainState, PoolState } from "../pool/state.ts"
import { failWaiters } from "../lease/wait.ts"
import { failWarmUps } from "../open/warmUp.ts"

/** The counts when the drain began: the difference is what the drain did. */
interface Beginning {
  readonly at: number
  readonly acquired: number
  readonly ended: number
  readonly closed: number
  readonly closesTimedOut: number
}

/** Runs the drain to its end. `queue` says what becomes of those who wait already. */
export const runDrain = Effect.fnUntraced(
  function*(state: PoolState, queue: "serve" | "refuse"): Effect.fn.Return<DrainReport> {
    const { drain } = state
    const { beginning, refusedAtOnce } = state.act(() => start(state, queue))
    sayWhomWaitedFor(state)
    yield* settled(state, drain, () => drain.isHurried || isQuiet(state), state.config.drainTimeout)
    const { abandoned, refused, returned } = state.act(() => stop(state, beginning))
    yield* settled(state, drain, () => state.places.connections.size === 0, 2 * state.config.closeTimeout)
    const report = reportOf(state, beginning, { refused: refusedAtOnce + refused, returned, abandoned })
    emit(state, { _tag: "Drained", report })
    state.events.end()
    return report
  }
)

const start = (state: PoolState, queue: "serve" | "refuse"): { beginning: Beginning; refusedAtOnce: number } => {
  state.beginDrain()
  const beginning = begin(state)
  emit(state, { _tag: "DrainStarted" })
  const refusedAtOnce = queue === "refuse" ? refuseAll(state) : 0
  releaseIdle(state)
  return { beginning, refusedAtOnce }
}

const stop = (
  state: PoolState,
  beginning: Beginning
): Pick<DrainReport, "refused" | "returned" | "abandoned"> => {
  state.close()
  const returned = endedOf(state) - beginning.ended
  return { returned, refused: refuseAll(state), abandoned: abandon(state) }
}

/**
 * Ends the drain: borrowers are waited for no more, and closes no longer than `lastCloses`.
 */
export const hurryDrain = Effect.fnUntraced(function*(state: PoolState) {
  const { drain } = state
  if (drain.isHurried) return
  drain.isHurried = true
  drain.onChange?.()
  yield* Effect.sleep(Math.min(lastCloses, state.config.closeTimeout))
  yield* Deferred.succeed(state.closesCut, undefined)
})

/** A program that seems to hang at its end says what it waits for. */
const sayWhomWaitedFor = (state: PoolState): void => {
  const held = holders(state)
  if (held.length === 0 || state.drain.isHurried) return
  const { used } = state.places
  const many = `${used} ${used === 1 ? "connection" : "connections"}`
  const names = held.map(describeHolder).join(", ")
  inform(state, `the drain waits for ${many} (drainTimeout: ${state.config.drainTimeout} ms), held by ${names}`)
}

/** Nobody waits, nobody holds a connection, and none is being made clean after its lease. */
const isQuiet = (state: PoolState): boolean =>
  state.line.size === 0 && state.places.used === 0 && state.places.checking === 0

const begin = (state: PoolState): Beginning => ({
  at: state.time.now(),
  acquired: acquiredOf(state),
  ended: endedOf(state),
  closed: state.counts.numbers.closed,
  closesTimedOut: state.counts.numbers.closesTimedOut
})

const acquiredOf = ({ counts: { numbers: counts } }: PoolState): number =>
  counts.acquiredAtOnce + counts.acquiredAfterWaiting

const endedOf = ({ counts: { numbers: { ended } } }: PoolState): number =>
  ended.success + ended.failure + ended.defect + ended.interrupt

/** Waits until a condition holds, looking after each change, but no longer than so many milliseconds. */
const settled = (state: PoolState, drain: DrainState, holds: () => boolean, millis: number): Effect.Effect<unknown> =>
  Effect.raceFirst(
    Effect.callback<void>((resume) => {
      drain.onChange = () => {
        if (!holds()) return
        drain.onChange = undefined
        state.later(() => resume(Effect.void))
      }
      drain.onChange()
    }),
    Effect.sleep(millis)
  )

const refuseAll = (state: PoolState): number => {
  const refused = failWaiters(state, () => new PoolClosed({ state: state.phase === "closed" ? "closed" : "draining" }))
  failWarmUps(state, new PoolClosed({ state: "draining" }))
  return refused
}

/** Closes what nobody will ask for any more: what the queue leaves over. */
const releaseIdle = (state: PoolState): void => {
  for (const connection of state.places.idle.slice(0, Math.max(0, state.places.idle.length - state.line.size))) {
    retire(state, connection, "shutdown")
  }
}

/** Closes everything that is left, dials and lent connections included, and tells who still held one. */
const abandon = (state: PoolState): ReadonlyArray<Holder> => {
  const now = state.time.now()
  const abandoned: Array<Holder> = []
  for (const connection of Array.from(state.places.connections)) {
    for (const lease of connection.holders) {
      abandoned.push({ connection: connection.id, ...nameOf(lease), held: now - lease.lentAt })
    }
    if (connection.state === "opening") discard(state, connection)
    else retire(state, connection, "shutdown")
  }
  if (abandoned.length > 0) {
    const names = abandoned.map(describeHolder).join(", ")
    const limit = state.drain?.isHurried === true ? "by the deadline of whoever drains the pool" : "by drainTimeout"
    warn(state, `${abandoned.length} leases had not ended ${limit}, their connections are closed: ${names}`)
  }
  return abandoned
}

const reportOf = (
  state: PoolState,
  beginning: Beginning,
  told: Pick<DrainReport, "refused" | "returned" | "abandoned">
): DrainReport => ({
  took: state.time.now() - beginning.at,
  served: acquiredOf(state) - beginning.acquired,
  ...told,
  closed: state.counts.numbers.closed - beginning.closed,
  closesTimedOut: state.counts.numbers.closesTimedOut - beginning.closesTimedOut
})

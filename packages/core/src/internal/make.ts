/**
 * The beginning of a pool and the hold on its end.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { DrainReport } from "./model/connection.ts"
import type { Connector } from "../Connector.ts"
import type { PoolConfig } from "./model/config.ts"
import type { Level } from "./model/traffic.ts"
import { describeCause } from "../Describe.ts"
import { Dialer } from "./dial/dialer.ts"
import { DispatchedState } from "./dispatch.ts"
import { hurryDrain, runDrain } from "./end/drain.ts"
import { asynchronous } from "./base/scheduler.ts"
import { DrainWithin } from "./end/drainWithin.ts"
import { emit, EventHub, warn } from "./watch/events.ts"
import { exitDoor } from "./end/exitDoor.ts"
import { Hold, PoolObserver } from "./places/hold.ts"
import { Places } from "./places/places.ts"
import { MakeClimb, Sizer } from "./sizing/sizer.ts"
import { Trust } from "./trust/trust.ts"
import type { PoolState } from "./pool/state.ts"
import { Mark, MarkObserver } from "./base/mark.ts"
import { ProcessHold } from "./base/processHold.ts"
import { PoolTime } from "./base/time.ts"
import * as PoolContext from "../PoolContext.ts"
import { holdsAlready, isWithinLease } from "./pool/nested.ts"
import type { OrderOptions } from "./line/byTraffic.ts"
import { Line, MakeOrder } from "./line/line.ts"

/** Puts the parts of a pool together. What runs beside the callers ends with `background`. */
export const makeState = Effect.fnUntraced(
  function*(config: PoolConfig, connector: Connector<any, any>, background: Scope.Closeable) {
    const given = yield* Effect.context<never>()
    const scheduler = asynchronous(Context.get(given, Scheduler.Scheduler))
    const context = Context.add(given, Scheduler.Scheduler, scheduler).pipe(
      config.unref ? PoolContext.unrefed : (same) => same
    )
    const processHold = config.unref ? yield* Scope.provide(ProcessHold.make, background) : undefined
    const runFork = Effect.runForkWith(context)
    const time = new PoolTime(Context.get(context, Clock.Clock), (by) => clockLeapt(state, by))
    // Before the fibers, which end first: they may not meet a Pool that has ended.
    const hold = new Hold({
      maxConnections: config.maxConnections,
      timeToLive: config.idleTimeout,
      time,
      scope: background,
      exitDoor: (connection) => exitDoor(state, connection)
    })
    Context.get(context, PoolObserver)(hold.pool)
    const fibers = yield* Scope.provide(FiberSet.make<unknown, never>(), background)
    const runInBackground = yield* Effect.provideContext(FiberSet.runtime(fibers)<never>(), context)
    const dispatcher = scheduler.makeDispatcher()
    const mark = new Mark()
    Context.get(context, MarkObserver)(mark)
    const makeOrder = Context.get(context, MakeOrder)
    const orderOptions: OrderOptions = {
      traffic: config.traffic,
      acquireTimeout: config.acquireTimeout,
      clock: time.clock,
      now: () => time.now(),
      limit: () => state.places.limit,
      sharers: connector.sharers ?? 1,
      holds: (lease) => holdsAlready(state, lease) || isWithinLease(state, lease)
    }
    const line = new Line({
      makeOrder: (arrivals) => makeOrder(orderOptions, arrivals),
      acquireTimeout: config.acquireTimeout,
      dispatcher,
      mark,
      processHold
    })
    // Work begins on the scheduler's next turn and never inside the change that asked for it.
    const step = (effect: Effect.Effect<unknown>): Effect.Effect<unknown> =>
      Effect.ensuring(Effect.andThen(Effect.yieldNow, effect), Effect.sync(() => state.settle()))
    const state: PoolState = new DispatchedState({
      config,
      connector,
      time,
      random: Context.get(context, Random.Random),
      events: new EventHub(config.eventBuffer),
      mark,
      places: new Places({ config, hold, line, mark, processHold }),
      sizer: config.sizing.mode === "off"
        ? undefined
        : new Sizer(config.sizing, config.sizing.mode, Context.get(context, MakeClimb)),
      trust: new Trust(mark, config.freshnessWindow, connector),
      dialer: yield* Scope.provide(Dialer.make(config, mark, (cause) => storeFailed(state, cause)), background),
      degradation: yield* SubscriptionRef.make<Level>(0),
      line,
      dispatcher,
      fork: (effect) => runInBackground(step(effect)),
      forkDetached: (effect) => runFork(step(effect))
    })
    return state
  }
)

const clockLeapt = (state: PoolState, by: number): void => {
  state.trust.raiseFence()
  emit(state, { _tag: "ClockLeapt", by })
  warn(state, `the clock leapt by ${Math.round(by)} ms, or the process was suspended`)
}

const storeFailed = (state: PoolState, cause: unknown): void => {
  emit(state, { _tag: "BreakerStoreFailed", cause })
  warn(state, `the breaker's store could not be asked, dials go on without it: ${describeCause(cause)}`)
}

/** The drain runs once, in a fiber of its own, however many ask for it and whoever is interrupted. */
export const makeDrain = (
  state: PoolState,
  background: Scope.Closeable
): (queue: "serve" | "refuse") => Effect.Effect<DrainReport> => {
  let running: Deferred.Deferred<DrainReport> | undefined
  return (queue: "serve" | "refuse"): Effect.Effect<DrainReport> =>
    Effect.flatMap(DrainWithin, (within) => {
      const isFirst = running === undefined
      const report = running ??= Deferred.makeUnsafe<DrainReport>()
      // Before the drain, which begins on the next turn and tells whom it waits for.
      if (within !== undefined) state.forkDetached(hurryAfter(state, within, report))
      if (isFirst) {
        state.forkDetached(Effect.onExit(runDrain(state, queue), (exit) => {
          state.forkDetached(Scope.close(background, Exit.void))
          return Deferred.done(report, exit)
        }))
      }
      return Deferred.await(report)
    })
}

/** Unless the drain has ended before by itself. */
const hurryAfter = (
  state: PoolState,
  within: Duration.Input,
  report: Deferred.Deferred<DrainReport>
): Effect.Effect<unknown> =>
  Effect.raceFirst(Effect.andThen(Effect.sleep(within), hurryDrain(state)), Deferred.await(report))

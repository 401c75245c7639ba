/**
 * A real connector with faults put in: its steps fail, hang or take longer, as a script or chance says.
 *
 * It counts what it opened and closed, so that a test against a real server can also assert that nothing leaked.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Step } from "./GatedConnector.ts"
import { Census } from "./internal/census.ts"
import { intercept, type Interceptor } from "./internal/intercept.ts"

/**
 * How a call of a step ends.
 *
 * - `ok`: as the real step does
 * - `fail`: fails with `InjectedFault` instead of the step; a close can only die with it
 * - `failLate`: fails after the step has succeeded, so that there is something to clean up
 * - `never`: does not end until it is interrupted
 * - `defect`: dies instead of the step
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "ok" | "fail" | "failLate" | "never" | "defect"

/**
 * The fate of one call of a step.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly outcome: Outcome
  /** How long the call waits first. Default 0. */
  readonly delay?: Duration.Input | undefined
}

/**
 * Chooses the fault of each call of a step, which are counted from 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Plan = (step: Step, call: number) => Fault

/**
 * The failure of a step by the plan.
 *
 * @category errors
 * @since 0.1.0
 */
export class InjectedFault extends Data.TaggedError("InjectedFault")<{
  readonly step: Step
  readonly call: number
}> {
  readonly isRetryable = true
  override get message(): string {
    return `a fault was put into ${this.step} ${this.call}`
  }
}

/**
 * A connector with faults. The numbers are read at the moment they are asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultyConnector<C, L = C> {
  readonly connector: Connector<C, L>
  /** Dials that succeeded. */
  readonly opened: number
  /** Closes that ended, by themselves or because they were given up. */
  readonly closed: number
  /** `opened - closed`: 0 when the pool is gone, or it leaked. */
  readonly leaked: number
  /** Connections now: being opened, open and being closed. */
  readonly live: number
  /** The most connections ever live at once. */
  readonly peak: number
  /** Calls of a step that did not end as the real step would. */
  readonly injected: (step: Step) => number
  /** Follows another plan from here on. */
  readonly follow: (plan: Plan) => void
}

/**
 * Puts faults into a connector.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <C, L>(connector: Connector<C, L>, plan: Plan = healthy): FaultyConnector<C, L> => {
  const census = new Census()
  const faults = new Faults(plan)
  return {
    connector: intercept(connector, interceptor(faults, census)),
    get opened() {
      return census.opened
    },
    get closed() {
      return census.closed
    },
    get leaked() {
      return census.opened - census.closed
    },
    get live() {
      return census.live
    },
    get peak() {
      return census.peak
    },
    injected: (step) => faults.injected[step],
    follow: (next) => void (faults.plan = next)
  }
}

/**
 * The plan without faults.
 *
 * @category plans
 * @since 0.1.0
 */
export const healthy: Plan = () => ({ outcome: "ok" })

/**
 * The plan that gives each step its faults one after the other, and then none.
 *
 * @category plans
 * @since 0.1.0
 */
export const script =
  (faults: Partial<Readonly<Record<Step, ReadonlyArray<Outcome | Fault>>>>): Plan => (step, call) => {
    const fault = faults[step]?.[call - 1] ?? "ok"
    return typeof fault === "string" ? { outcome: fault } : fault
  }

/**
 * How likely the faults of a step are, each 0 to 1. What is left is `ok`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Odds extends Partial<Readonly<Record<Exclude<Outcome, "ok">, number>>> {
  /** Each call waits first, for a random time up to this. Default 0. */
  readonly maxDelay?: Duration.Input | undefined
}

/**
 * A plan by chance. It is the same again under `Random.withSeed` with the same seed.
 *
 * @category plans
 * @since 0.1.0
 */
export const random = (odds: Partial<Readonly<Record<Step, Odds>>>): Effect.Effect<Plan> =>
  Effect.map(Random.Random, (chance): Plan => (step) => {
    const { maxDelay = 0, ...rates } = odds[step] ?? {}
    // Both numbers are drawn for each call, so that one step's odds do not shift the chances of the others.
    const delay = Duration.toMillis(maxDelay) * chance.nextDoubleUnsafe()
    return { outcome: pick(rates, chance.nextDoubleUnsafe()), delay }
  })

const pick = (rates: Partial<Readonly<Record<Exclude<Outcome, "ok">, number>>>, drawn: number): Outcome => {
  let bound = 0
  for (const outcome of ["fail", "failLate", "never", "defect"] as const) {
    bound += rates[outcome] ?? 0
    if (drawn < bound) return outcome
  }
  return "ok"
}

class Faults {
  plan: Plan
  readonly injected: Record<Step, number> = { connect: 0, validate: 0, reset: 0, close: 0 }
  readonly #calls: Record<Step, number> = { connect: 0, validate: 0, reset: 0, close: 0 }
  constructor(plan: Plan) {
    this.plan = plan
  }

  next(step: Step): { readonly fault: Fault; readonly error: InjectedFault } {
    const call = ++this.#calls[step]
    const fault = this.plan(step, call)
    if (fault.outcome !== "ok") this.injected[step]++
    return { fault, error: new InjectedFault({ step, call }) }
  }

  apply<A, E>(step: Step, inner: Effect.Effect<A, E>): Effect.Effect<A, E | InjectedFault> {
    return Effect.suspend(() => {
      const { error, fault } = this.next(step)
      const faulty = distort(fault, error, inner)
      return fault.delay === undefined ? faulty : Effect.andThen(Effect.sleep(fault.delay), faulty)
    })
  }
}

const distort = <A, E>(
  fault: Fault,
  error: InjectedFault,
  inner: Effect.Effect<A, E>
): Effect.Effect<A, E | InjectedFault> => {
  switch (fault.outcome) {
    case "ok":
      return inner
    case "fail":
      return Effect.fail(error)
    case "failLate":
      return Effect.andThen(inner, Effect.fail(error))
    case "never":
      // Finalizers run uninterruptibly: without this, a close that never ends could not be given up.
      return Effect.interruptible(Effect.never)
    case "defect":
      return Effect.die(error)
  }
}

const interceptor = (faults: Faults, census: Census): Interceptor => ({
  connect: (inner) => census.dial(faults.apply("connect", inner)),
  validate: (inner) => faults.apply("validate", inner),
  reset: (inner) => faults.apply("reset", inner ?? Effect.void),
  // A close that fails or is given up still closes the real connection in the end.
  close: (inner) => census.close(Effect.ensuring(Effect.orDie(faults.apply("close", inner)), inner))
})

/**
 * A fake backend whose every step behaves as the test says: it succeeds, fails, takes its time, hangs or dies.
 *
 * The behaviour of a step is set while the pool runs. A `"slow"` step waits at its gate until the test opens it, or
 * for a duration of the `Clock`, so that no test needs to guess how long something takes.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as FakeConnector from "./FakeConnector.ts"
import { intercept, type Interceptor } from "./internal/intercept.ts"

/**
 * The steps that can be gated.
 *
 * @category models
 * @since 0.1.0
 */
export type Step = "connect" | "validate" | "reset" | "close"

/**
 * How one call of a step behaves.
 *
 * - `ok`: does it at once
 * - `fail`: fails with `GatedFailure`; a close can only die with it
 * - `slow`: waits at the gate, then does it
 * - `slowFail`: waits at the gate, then fails
 * - `never`: does not end until it is interrupted
 * - `stuck`: does not end, not even when it is interrupted
 * - `defect`: dies
 * - `interrupt`: interrupts itself
 *
 * @category models
 * @since 0.1.0
 */
export type Behaviour = "ok" | "fail" | "slow" | "slowFail" | "never" | "stuck" | "defect" | "interrupt"

/**
 * Every behaviour, for tests that try them all.
 *
 * @category models
 * @since 0.1.0
 */
export const behaviours: ReadonlyArray<Behaviour> = [
  "ok",
  "fail",
  "slow",
  "slowFail",
  "never",
  "stuck",
  "defect",
  "interrupt"
]

/**
 * The failure of a step with the behaviour `"fail"`.
 *
 * @category errors
 * @since 0.1.0
 */
export class GatedFailure extends Data.TaggedError("GatedFailure")<{
  readonly step: Step
  /** Which call of the step it was, from 1. */
  readonly call: number
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return `${this.step} ${this.call} was told to fail`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends FakeConnector.Options {
  /** The behaviour of each step at first. Default `"ok"`. */
  readonly initial?: Partial<Record<Step, Behaviour>> | undefined
  /** `"slow"` waits for this long instead of at the gate. */
  readonly delay?: Duration.Input | undefined
  /** Whether failures say that another attempt may succeed. Default true. */
  readonly isRetryable?: boolean | undefined
}

/**
 * A gated backend and its connector.
 *
 * @category models
 * @since 0.1.0
 */
export interface GatedConnector {
  readonly connector: Connector<FakeConnector.FakeConnection>
  /** The backend behind the gates: its counts and connections. */
  readonly fake: FakeConnector.FakeConnector
  /** Sets the behaviours of the next calls of a step, one after the other; the last holds for all that follow. */
  readonly set: (step: Step, ...behaviours: readonly [Behaviour, ...ReadonlyArray<Behaviour>]) => void
  /** Opens the gate: the calls that wait there go on, and later ones do not wait. */
  readonly open: (step: Step) => void
  /** Closes the gate again. */
  readonly shut: (step: Step) => void
  /** Lets those go on that wait at the gate now. Later calls wait. */
  readonly release: (step: Step) => Effect.Effect<void>
  /** Calls begun. */
  readonly calls: (step: Step) => number
  /** Calls that have begun and not ended. */
  readonly running: (step: Step) => number
}

/**
 * Makes a gated backend. All gates are shut.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): GatedConnector => {
  const fake = FakeConnector.make(options)
  const gate = (step: Step): Gate => new Gate(step, options)
  const gates = { connect: gate("connect"), validate: gate("validate"), reset: gate("reset"), close: gate("close") }
  return {
    fake,
    connector: intercept(fake.connector, interceptor(gates)),
    set: (step, ...behaviours) => void (gates[step].script = behaviours),
    open: (step) => void gates[step].latch.openUnsafe(),
    shut: (step) => void gates[step].latch.closeUnsafe(),
    release: (step) => Effect.asVoid(gates[step].latch.release),
    calls: (step) => gates[step].calls,
    running: (step) => gates[step].running
  }
}

/** One step: what it does next, its gate and its counts. */
class Gate {
  readonly latch = Latch.makeUnsafe(false)
  script: ReadonlyArray<Behaviour>
  calls = 0
  running = 0
  readonly #step: Step
  readonly #wait: Effect.Effect<void>
  readonly #isRetryable: boolean

  constructor(step: Step, options: Options) {
    this.#step = step
    this.script = [options.initial?.[step] ?? "ok"]
    this.#wait = options.delay === undefined ? this.latch.await : Effect.sleep(options.delay)
    this.#isRetryable = options.isRetryable ?? true
  }

  pass<A, E, R>(inner: Effect.Effect<A, E, R>): Effect.Effect<A, E | GatedFailure, R> {
    return Effect.suspend(() => {
      this.calls++
      this.running++
      return Effect.ensuring(this.#behave(this.#next(), inner), Effect.sync(() => void this.running--))
    })
  }

  /** A reset that is `"ok"` must stay able to say that there is nothing to do. */
  passOptional<A, E>(inner: Effect.Effect<A, E> | undefined): Effect.Effect<A | void, E | GatedFailure> | undefined {
    if (inner !== undefined || this.script[0] !== "ok") return this.pass(inner ?? Effect.void)
    this.calls++
    this.#next()
    return undefined
  }

  #next(): Behaviour {
    const [next = "ok", ...rest] = this.script
    if (rest.length > 0) this.script = rest
    return next
  }

  #behave<A, E, R>(behaviour: Behaviour, inner: Effect.Effect<A, E, R>): Effect.Effect<A, E | GatedFailure, R> {
    const failure = new GatedFailure({ step: this.#step, call: this.calls, isRetryable: this.#isRetryable })
    switch (behaviour) {
      case "ok":
        return inner
      case "fail":
        return Effect.fail(failure)
      case "slow":
        return Effect.andThen(this.#wait, inner)
      case "slowFail":
        return Effect.andThen(this.#wait, Effect.fail(failure))
      case "never":
        // Finalizers run uninterruptibly: without this, a close that never ends could not be given up.
        return Effect.interruptible(Effect.never)
      case "stuck":
        return Effect.uninterruptible(Effect.never)
      case "defect":
        return Effect.die(failure)
      case "interrupt":
        return Effect.interrupt
    }
  }
}

const interceptor = (gates: Record<Step, Gate>): Interceptor => ({
  connect: (inner) => gates.connect.pass(inner),
  validate: (inner) => gates.validate.pass(inner),
  reset: (inner) => gates.reset.passOptional(inner),
  // A close that fails or is given up is over: the fake counts a connection as leaked only if nobody tried to close it.
  close: (inner) => Effect.ensuring(Effect.orDie(gates.close.pass(inner)), inner)
})

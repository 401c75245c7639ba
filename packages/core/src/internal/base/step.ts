/**
 * The next step of an effect, taken within the step that its fiber is in.
 *
 * Each effect costs a turn of the run loop, and an effect around another, such as `Effect.onExit`, one more. Effect's own
 * `Pool.use` installs its end in the step that takes the item. Effect has no public name for this; but an effect takes its step by
 * a method whose name is the same in every copy of Effect 4, since effects of one copy run in fibers of another.
 */
import * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"

const evaluate = `${Effect.TypeId}/evaluate` as const

interface Evaluated<A, E, R> {
  readonly [evaluate]?: (fiber: Fiber<unknown, unknown>) => Effect.Effect<A, E, R>
}

/**
 * The effect that is left to run after the first step of `effect`. Only for the effect that `fiber` evaluates just now, and for
 * one that does not suspend. Where Effect knows the method no more it is `effect` itself.
 */
export const step = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  fiber: Fiber<unknown, unknown>
): Effect.Effect<A, E, R> => (effect as Evaluated<A, E, R>)[evaluate]?.(fiber) ?? effect

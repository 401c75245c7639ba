/**
 * An effect that is told of its exit, for the price of one object.
 *
 * `Effect.onExit` costs an object, a closure and a step of the run loop each time. Effect's own `Pool.use` saves the step: it
 * installs its end in the step that takes the item. Effect has no public name for this; but an effect takes its step by a method
 * whose name is the same in every copy of Effect 4, since effects of one copy run in fibers of another. The closure is saved
 * because Effect calls it on its own object, which holds the effect that it was made for.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"

type AnyEffect = Effect.Effect<any, any, any>

export interface ToldOfExit extends AnyEffect {
  /** Called once and uninterruptibly, with the exit of this effect. Its fiber waits for what is returned. */
  onExit(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined
}

const evaluate = `${Effect.TypeId}/evaluate` as const

interface Evaluated {
  readonly [evaluate]?: (fiber: Fiber<unknown, unknown>) => AnyEffect
}

/**
 * Installs the end of `effect` in the step that `fiber` takes just now. It gives the effect back, for its first step to be taken at
 * once; or, where Effect knows the method no more, another one that runs it.
 */
export const install = (effect: ToldOfExit, fiber: Fiber<unknown, unknown>): AnyEffect => {
  const primitive = isCalledOnItsOwn
    ? Effect.onExitPrimitive(effect, tell)
    : Effect.onExitPrimitive(effect, (exit) => effect.onExit(exit))
  return (primitive as Evaluated)[evaluate]?.(fiber) ?? primitive
}

interface OnExit {
  readonly effect?: ToldOfExit
}

function tell(this: OnExit | undefined, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
  return this?.effect?.onExit(exit)
}

/** Whether Effect calls `tell` as it has to be called. It is tried, so that a change of Effect can lose no exit. */
export const isCalledOnItsOwn = [Effect.void, Effect.fail("tried")].every((outcome) => {
  const exits: Array<Exit.Exit<unknown, unknown>> = []
  const effect = Object.assign(Effect.suspend(() => outcome), {
    onExit: (exit: Exit.Exit<unknown, unknown>) => void exits.push(exit)
  })
  const { _tag } = Effect.runSyncExit(Effect.onExitPrimitive(effect, tell))
  return exits.length === 1 && exits[0]?._tag === _tag
})

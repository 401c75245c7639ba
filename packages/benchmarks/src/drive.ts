/** The loops that call the contenders. All of one way, bare or in Effect, go through the same one. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

const add = (sums: ReadonlyArray<number>): number => sums.reduce((total, sum) => total + sum, 0)

/** `callers` loops share the operations 0 to `total - 1`. Gives the sum of what the results weigh. */
export const driveBare = async <A>(
  callers: number,
  total: number,
  operation: (i: number) => Promise<A>,
  weigh: (result: A) => number = Number
): Promise<number> => {
  const share = Math.ceil(total / callers)
  const caller = async (_: unknown, number: number) => {
    const end = (number + 1) * share
    let sum = 0
    for (let i = number * share; i < end; i++) sum += weigh(await operation(i))
    return sum
  }
  return add(await Promise.all(Array.from({ length: callers }, caller)))
}

/** The same in Effect, where each caller is a fiber. */
export const driveEffect = <A, E>(
  callers: number,
  total: number,
  operation: (i: number) => Effect.Effect<A, E>,
  weigh?: (result: A) => number
): Promise<number> => driveEffectWith(Context.empty(), callers, total, operation, weigh)

/** The same for operations that ask for services. */
export const driveEffectWith = <A, E, R>(
  context: Context.Context<R>,
  callers: number,
  total: number,
  operation: (i: number) => Effect.Effect<A, E, R>,
  weigh: (result: A) => number = Number
): Promise<number> => {
  const share = Math.ceil(total / callers)
  const caller = Effect.fnUntraced(function*(number: number) {
    const end = (number + 1) * share
    let sum = 0
    for (let i = number * share; i < end; i++) sum += weigh(yield* operation(i))
    return sum
  })
  const all = Effect.forEach(Array.from({ length: callers }, (_, number) => number), caller, {
    concurrency: "unbounded"
  })
  return Effect.runPromiseWith(context)(Effect.map(all, add))
}

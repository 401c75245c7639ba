/** The loops that call the pools. All contenders of one way go through the same one. */
import * as Effect from "effect/Effect"

const add = (sums: ReadonlyArray<number>): number => sums.reduce((total, sum) => total + sum, 0)

export const driveBare = async (callers: number, total: number, lease: () => Promise<number>): Promise<number> => {
  const share = total / callers
  const caller = async () => {
    let sum = 0
    for (let i = 0; i < share; i++) sum += await lease()
    return sum
  }
  return add(await Promise.all(Array.from({ length: callers }, caller)))
}

export const driveEffect = <E>(
  callers: number,
  total: number,
  lease: () => Effect.Effect<number, E>
): Promise<number> => {
  const share = total / callers
  const caller = Effect.gen(function*() {
    let sum = 0
    for (let i = 0; i < share; i++) sum += yield* lease()
    return sum
  })
  const all = Effect.forEach(Array.from({ length: callers }, () => caller), (effect) => effect, {
    concurrency: "unbounded"
  })
  return Effect.runPromise(Effect.map(all, add))
}

/** Everybody in the race. */
import type { Contender } from "../contender.ts"
import { bareQueue } from "./bareQueue.ts"
import { effectPool } from "./effectPool.ts"
import { effectPools, sizedPools } from "./effectPools.ts"
import { floorBare, floorInEffect } from "./floor.ts"
import { genericPoolBare, genericPoolInEffect } from "./genericPool.ts"
import { lightningPoolBare, lightningPoolInEffect } from "./lightningPool.ts"
import { tarnBare, tarnInEffect } from "./tarn.ts"

export const contenders: ReadonlyArray<Contender> = [
  effectPools,
  genericPoolBare,
  tarnBare,
  lightningPoolBare,
  effectPool,
  genericPoolInEffect,
  tarnInEffect,
  lightningPoolInEffect,
  floorBare,
  floorInEffect,
  bareQueue
]

/** The contender of that name, those included that race against our own pool alone. */
export const contenderOf = (name: string): Contender => {
  const found = [...contenders, ...sizedPools].find((each) => each.name === name)
  if (found === undefined) throw new Error(`there is no contender "${name}"`)
  return found
}

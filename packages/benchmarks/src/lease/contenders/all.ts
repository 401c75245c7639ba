/** Everybody in the race. */
import type { Contender } from "../contender.ts"
import { bareQueue } from "./bareQueue.ts"
import { effectPool } from "./effectPool.ts"
import { effectPools } from "./effectPools.ts"
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

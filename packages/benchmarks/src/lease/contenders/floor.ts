/** No pool: what the callers' loop and the body cost by themselves. Not a rival, but the part no pool can save. */
import * as Effect from "effect/Effect"
import type { Contender } from "../contender.ts"
import { driveBare, driveEffect } from "../../drive.ts"

export const floorBare: Contender = {
  name: "no pool",
  way: "floor",
  async setUp(connections) {
    const connection = connections.open()
    return {
      run: (callers, total, body) => driveBare(callers, total, async () => await body.bare(connection)),
      close: async () => connections.close(connection)
    }
  }
}

export const floorInEffect: Contender = {
  name: "no pool in Effect",
  way: "floor",
  async setUp(connections) {
    const connection = connections.open()
    return {
      run: (callers, total, body) => driveEffect(callers, total, () => Effect.suspend(() => body.effect(connection))),
      close: async () => connections.close(connection)
    }
  }
}

import { assert, describe, it } from "@effect/vitest"
import { play, type Told } from "./utils/overloaded.ts"

const ways: ReadonlyArray<Told> = ["deadline", "acquireTimeout", "Effect.timeout"]

/** The lease in progress, of 100 ms, and 25 ms more. */
const soon = 125

describe("a pool that is asked for more than it has, and sheds load", () => {
  for (const told of ways) {
    for (const load of [2, 4]) {
      it(`does useful work with 95 % of its connections, and serves every high caller soon: ${told}, ${load} times`, () => {
        const { high, useful } = play({ told, load, seconds: 5 })
        assert.isAbove(useful, 0.95)
        assert.isAbove(high.asked, 50)
        assert.strictEqual(high.inTime, high.asked)
        assert.isBelow(high.waitP99, soon)
      })
    }

    it(`does useful work with 90 % of them where the process stalls and leases vary: ${told}`, () => {
      const { high, useful } = play({ told, load: 2, seconds: 5, spread: 0.5, stalls: { millis: 100, perSecond: 2 } })
      assert.isAbove(useful, 0.9)
      assert.strictEqual(high.inTime, high.asked)
    })
  }
})

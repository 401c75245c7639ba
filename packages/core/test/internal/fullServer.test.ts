import { assert, describe, it } from "@effect/vitest"
import { FullServer } from "../../src/internal/places/fullServer.ts"

const refused = { now: 1_000, began: 990, dial: undefined, live: 10, underWay: [], floor: 2, said: "too many clients" }

describe("the ceiling for a server that is full", () => {
  it("is one connection fewer than are open, for 30 seconds, and then rises step by step", () => {
    const full = new FullServer()
    assert.strictEqual(full.ceiling, Infinity)
    assert.isTrue(full.refused(refused))
    assert.strictEqual(full.ceiling, 9)
    assert.deepStrictEqual(full.said(2_000), { said: "too many clients", ago: 1_000 })
    assert.isFalse(full.rise(30_999, 13))
    assert.isTrue(full.rise(31_000, 13))
    assert.strictEqual(full.ceiling, 10)
    assert.isFalse(full.rise(32_000, 13))
    assert.isTrue(full.rise(33_000, 13))
    assert.strictEqual(full.ceiling, 11)
    assert.isTrue(full.rise(35_000, 13))
    assert.strictEqual(full.ceiling, Infinity)
    assert.isUndefined(full.said(35_000))
  })

  it("of requests that are refused together the first counts, and later ones count again", () => {
    const full = new FullServer()
    full.refused(refused)
    for (let i = 0; i < 5; i++) assert.isFalse(full.refused({ ...refused, now: 1_100, began: 999 }))
    assert.strictEqual(full.ceiling, 9)
    assert.isTrue(full.refused({ ...refused, now: 2_000, began: 1_500, live: 9 }))
    assert.strictEqual(full.ceiling, 8)
    assert.isFalse(full.rise(31_500, 20))
  })

  it("dials that are refused together are counted one by one, whichever is answered first", () => {
    const full = new FullServer()
    // Eight dials beside two connections; the server has room for four, and refuses sooner than it accepts.
    const underWay = [3, 4, 5, 6, 7, 8, 9, 10]
    full.refused({ ...refused, dial: 10, live: 2, underWay: underWay.slice(0, -1) })
    assert.strictEqual(full.ceiling, 9)
    for (const dial of [9, 8, 7, 6, 5]) full.refused({ ...refused, dial, live: 2 })
    assert.strictEqual(full.ceiling, 4)
    // One that began in the same moment, and of which nobody knew, says nothing new.
    assert.isFalse(full.refused({ ...refused, dial: 11, live: 4 }))
    const none = new FullServer()
    none.refused({ ...refused, dial: 3, live: 0, underWay: [1, 2] })
    assert.strictEqual(none.ceiling, 2)
    none.refused({ ...refused, dial: 2, live: 0 })
    none.refused({ ...refused, dial: 1, live: 0 })
    assert.strictEqual(none.ceiling, Infinity)
  })

  it("stays for as long as the server asks, five minutes at most", () => {
    const full = new FullServer()
    full.refused({ ...refused, retryAfter: 60_000 })
    assert.strictEqual(full.until, 61_000)
    full.refused({ ...refused, retryAfter: 3_600_000 })
    assert.strictEqual(full.until, 301_000)
  })

  it("does not go below the floor, nor below 1, and is none where nothing is open", () => {
    const full = new FullServer()
    assert.isFalse(full.refused({ ...refused, live: 0 }))
    assert.strictEqual(full.ceiling, Infinity)
    assert.isTrue(full.refused({ ...refused, began: 1_001, now: 1_010, live: 2 }))
    assert.strictEqual(full.ceiling, 2)
    assert.isFalse(full.refused({ ...refused, began: 5_000, now: 5_000, live: 2 }))
    const alone = new FullServer()
    assert.isTrue(alone.refused({ ...refused, live: 1, floor: 0 }))
    assert.strictEqual(alone.ceiling, 1)
  })
})

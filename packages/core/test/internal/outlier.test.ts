import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Outlier, type Rules } from "../../src/internal/balance/outlier.ts"

const rules: Rules = {
  consecutiveFailures: 3,
  failureRate: 0.5,
  minimumLeases: 10,
  interval: 1_000,
  baseEjectionTime: 100,
  maxEjectionTime: 250
}

const never = { consecutiveFailures: Infinity }

/** Records outcomes, one a millisecond, and tells the first verdict and when it came. */
const feed = (outlier: Outlier, outcomes: string, from = 0) => {
  for (const [index, outcome] of Array.from(outcomes).entries()) {
    const because = outlier.record(outcome === "x", from + index, from + index)
    if (because !== undefined) return { because, after: index + 1 }
  }
  return undefined
}

describe("Outlier", () => {
  it("so many failures in a row are enough, and a success in between begins the count anew", () => {
    assert.deepStrictEqual(feed(new Outlier(rules), "xxx"), { because: "consecutiveFailures", after: 3 })
    assert.deepStrictEqual(feed(new Outlier(rules), "xx.xx.xxx"), { because: "consecutiveFailures", after: 9 })
    assert.isUndefined(feed(new Outlier(rules), "xx.xx."))
  })

  it("a share of failures counts from minimumLeases on", () => {
    assert.deepStrictEqual(feed(new Outlier({ ...rules, ...never }), "x.x.x.x..x"), {
      because: "failureRate",
      after: 10
    })
    assert.deepStrictEqual(feed(new Outlier({ ...rules, ...never, minimumLeases: 4 }), "x..x"), {
      because: "failureRate",
      after: 4
    })
    assert.isUndefined(feed(new Outlier({ ...rules, ...never, failureRate: 0.6 }), "x.x.x.x..x"))
  })

  it("each interval is judged for itself", () => {
    const outlier = new Outlier({ ...rules, ...never })
    assert.isUndefined(feed(outlier, "xxxxxxxxx"))
    assert.isUndefined(feed(outlier, "x........x", 1_000))
  })

  it("an ejection lasts longer for each that follows upon another, but never longer than the longest", () => {
    const outlier = new Outlier(rules)
    const times = [0, 100, 300].map((at) => {
      outlier.isBack(at)
      return outlier.eject("failureRate", at)
    })
    assert.deepStrictEqual(times, [100, 200, 250])
    assert.strictEqual(outlier.ejections, 3)
  })

  it("each base time in takes one back", () => {
    const outlier = new Outlier(rules)
    outlier.eject("failureRate", 0)
    assert.isTrue(outlier.isBack(100))
    assert.strictEqual(outlier.eject("failureRate", 150), 200)
    assert.isTrue(outlier.isBack(350))
    // One base time and a half in: of two ejections in a row one is forgiven.
    assert.strictEqual(outlier.eject("failureRate", 500), 200)
    assert.isTrue(outlier.isBack(700))
    assert.strictEqual(outlier.eject("failureRate", 5_000), 100)
  })

  it("comes back when its time is up, once, and as if nothing had been", () => {
    const outlier = new Outlier(rules)
    feed(outlier, "xxx")
    outlier.eject("consecutiveFailures", 2)
    assert.deepStrictEqual([outlier.isBack(101), outlier.isEjected], [false, true])
    assert.deepStrictEqual([outlier.isBack(102), outlier.isEjected], [true, false])
    assert.isFalse(outlier.isBack(103))
    assert.isUndefined(feed(outlier, "xx", 103))
  })

  it("what began before its return says nothing", () => {
    const outlier = new Outlier(rules)
    outlier.eject("failureRate", 0)
    for (let n = 0; n < 9; n++) assert.isUndefined(outlier.record(true, 50, 60))
    outlier.isBack(100)
    for (let n = 0; n < 9; n++) assert.isUndefined(outlier.record(true, 99, 110))
    assert.deepStrictEqual(feed(outlier, "xxx", 110), { because: "consecutiveFailures", after: 3 })
  })

  it.prop("without a run or a rate of failures there is no verdict", {
    outcomes: Arbitrary.array(Arbitrary.schema(Schema.Boolean), { maxLength: 100 })
  }, ({ outcomes }) => {
    // One success after every failure keeps both below their limits.
    const text = outcomes.map((isFailure) => isFailure ? "x." : ".").join("")
    return feed(new Outlier({ ...rules, failureRate: 0.51 }), `.${text}`) === undefined
  })
})

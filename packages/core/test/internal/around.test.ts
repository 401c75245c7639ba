import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { ByTraffic } from "../../src/internal/line/byTraffic.ts"
import { Lease } from "../../src/internal/line/lease.ts"
import { LeaseList } from "../../src/internal/line/leaseList.ts"
import { nothing } from "../../src/internal/line/said.ts"

class Caller extends Lease {
  override asEffect(): Effect.Effect<void> {
    return Effect.void
  }
}

/** A pool of two connections, of which a key may hold one: each caller is asked what it says of itself. */
const line = () => {
  const arrivals = new LeaseList<Lease>()
  const order = new ByTraffic({
    traffic: {
      slack: { high: 0, normal: 1000, low: 5000 },
      share: { high: 1, normal: 1, low: 1 },
      maxShare: 0.5,
      weights: {},
      shedAfter: Infinity,
      retryBudget: Infinity,
      degradation: "manual"
    } as never,
    acquireTimeout: 1000,
    clock: undefined as never,
    now: () => 0,
    limit: () => 2,
    sharers: 1,
    holds: () => false
  }, arrivals)
  let looks = 0
  const context = Context.empty()
  const look = () => {
    looks++
    return nothing
  }
  const come = () => new Caller({ isShared: false } as never, { context, getRef: look } as never)
  const wait = () => {
    const lease = come()
    order.enter(lease)
    arrivals.push(lease)
    return lease
  }
  const leave = (lease: Lease) => {
    order.leave(lease)
    arrivals.remove(lease)
  }
  return { order, come, wait, leave, looks: () => looks }
}

describe("the context of callers", () => {
  it("is kept while somebody waits, so that a crowd in one context costs few looks into it", () => {
    const { looks, wait } = line()
    for (let i = 0; i < 100; i++) void wait()
    assert.isAtMost(looks(), 2)
  })

  it("is let go of when nobody waits any more", () => {
    const { leave, looks, wait } = line()
    for (const lease of [wait(), wait(), wait()]) leave(lease)
    const before = looks()
    void wait()
    assert.strictEqual(looks(), before + 1)
  })

  it("is not kept of a caller that is served at once", () => {
    const { come, looks, order } = line()
    assert.isTrue(order.isNext(come()))
    assert.isTrue(order.isNext(come()))
    assert.strictEqual(looks(), 2)
  })
})

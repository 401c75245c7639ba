import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Deadlines } from "../../src/internal/line/deadlines.ts"
import type { Lease } from "../../src/internal/line/lease.ts"

type Waiter = Pick<Lease, "since" | "deadline" | "moment" | "older" | "younger">

const waiter = (since: number): Lease => {
  const lease: Waiter = { since, deadline: 0, moment: undefined, older: undefined, younger: undefined }
  return lease as Lease
}

const Step = Schema.Struct({
  enters: Schema.Boolean,
  number: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 150 }))
})

describe("the deadlines of those who wait", () => {
  it.prop(
    "the next is the earliest of all, however they come and go",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 80 }) },
    ({ steps }) => {
      const deadlines = new Deadlines(100)
      const waiting: Array<Lease> = []
      steps.forEach(({ enters, number }, now) => {
        if (enters || waiting.length === 0) {
          const lease = waiter(now)
          deadlines.add(lease, number > 50 ? number : Infinity)
          waiting.push(lease)
        } else deadlines.remove(waiting.splice(number % waiting.length, 1)[0]!)
        const earliest = Math.min(...waiting.map(({ deadline }) => deadline))
        assert.strictEqual(deadlines.next(waiting[0])?.deadline ?? Infinity, earliest)
      })
    }
  )

  it("those whose time is up in the same millisecond go in the order in which they came", () => {
    const deadlines = new Deadlines(100)
    const waiting = [50.5, 50.2, 50.9, 50.2].map((left) => {
      const lease = waiter(0)
      deadlines.add(lease, left)
      return lease
    })
    for (const lease of waiting) {
      assert.strictEqual(deadlines.next(lease), lease)
      deadlines.remove(lease)
    }
  })

  it("a million moments that all have left again are forgotten, though an earlier one is still to come", () => {
    const deadlines = new Deadlines(Infinity)
    const first = waiter(0)
    deadlines.add(first, 1)
    for (let since = 1; since < 1_000_000; since++) {
      const lease = waiter(since)
      deadlines.add(lease, 5000)
      deadlines.remove(lease)
    }
    assert.strictEqual(deadlines.next(first), first)
    assert.isAtMost(deadlines.size, 2000)
  })
})

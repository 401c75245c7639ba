import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Deadlines } from "../../src/internal/line/deadlines.ts"
import type { Lease } from "../../src/internal/line/lease.ts"

type Waiter = Pick<Lease, "since" | "deadline" | "place">

const waiter = (since: number): Lease => {
  const lease: Waiter = { since, deadline: 0, place: -1 }
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
})

import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Bench, borrow, eventuallyStats } from "./bench.ts"

/** Effect's Pool, as the owner of every connection. */
export const holding = <Lent, R>({ subject: { use }, test }: Bench<Lent, R>): void => {
  test(
    "every live connection is an item of Effect's Pool, from its arrival to its end",
    { minConnections: 2, maxConnections: 3 },
    (pool, held) =>
      Effect.gen(function*() {
        const isHeld = Effect.map(pool.stats, ({ closing, opening, total }) => {
          const { invalidated, items, waiting } = held.numbers()
          const expected = { items: total - opening - closing, waiting: 0, invalidated: 0 }
          assert.deepStrictEqual({ items, waiting, invalidated }, expected)
          return items
        })
        assert.isAtLeast(yield* isHeld, 2)
        const borrowers = [yield* borrow(pool), yield* borrow(pool), yield* borrow(pool)]
        assert.strictEqual(yield* isHeld, 3)
        yield* pool.invalidate(borrowers[0]!.connection)
        yield* Effect.forEach(borrowers, ({ giveBack }) => giveBack)
        assert.strictEqual(yield* isHeld, 2)
        yield* pool.retireAll
        yield* eventuallyStats(pool, "the minimum is back", ({ closing, idle }) => closing === 0 && idle >= 2)
        yield* isHeld
        yield* pool.withConnection(use)
        yield* pool.drain
        assert.strictEqual(yield* isHeld, 0)
      })
  )
}

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { driveBare, driveEffect } from "../src/drive.ts"

const ways = {
  bare: (callers: number, total: number, seen: Array<number>) =>
    driveBare(callers, total, async (i) => seen.push(i), () => 1),
  inEffect: (callers: number, total: number, seen: Array<number>) =>
    driveEffect(callers, total, (i) => Effect.sync(() => seen.push(i)), () => 1)
}

describe("the loops that call the contenders", () => {
  for (const [name, drive] of Object.entries(ways)) {
    it(`each operation is done once, and its result weighed (${name})`, async () => {
      const seen: Array<number> = []
      assert.strictEqual(await drive(3, 12, seen), 12)
      assert.deepStrictEqual(seen.toSorted((a, b) => a - b), Array.from({ length: 12 }, (_, i) => i))
    })
  }

  it("the failure of an operation is that of the run", async () => {
    const fails = driveEffect(2, 4, (i) => i === 3 ? Effect.fail("lost") : Effect.succeed(i))
    assert.strictEqual(await fails.then(() => "done", String), "lost")
  })
})

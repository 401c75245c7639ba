import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { scene } from "../fleet/scene.ts"

it.live(
  "a fleet never has more connections than its budget, and no lease fails, whatever becomes of it",
  () =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const say = (line: string) => Effect.sync(() => void said.push(line))
      const { failures, most, served, share, took } = yield* scene({ processes: 3, total: 9, away: 3, say })
      assert.deepStrictEqual(failures, {}, said.join("\n"))
      assert.isAtMost(most, 9)
      assert.isAtLeast(share, 0.9)
      assert.isAtMost(took, 10)
      // Each of 0.2 s.
      assert.isAbove(served, 200)
    }).pipe(Effect.scoped),
  120_000
)

import { assert, describe, it } from "@effect/vitest"
import { ByText } from "../../src/internal/byText.ts"
import * as SqlText from "../../src/internal/sqlText.ts"

describe("things made of texts", () => {
  it("are made once for each text, up to a bound", () => {
    const made: Array<string> = []
    const kept = new ByText((text) => made.push(text), 2, 5)
    for (const text of ["a", "a", "b", "a", "too long", "too long"]) kept.of(text)
    assert.deepStrictEqual(made, ["a", "b", "too long", "too long"])
    kept.of("c")
    kept.of("a")
    assert.strictEqual(kept.size, 2)
    assert.deepStrictEqual(made.slice(4), ["c", "a"])
  })

  it("show a statement without what its literals say, the second time as the first", () => {
    for (let time = 0; time < 2; time++) {
      assert.strictEqual(SqlText.shownOf("SELECT 'a secret', 1"), "SELECT '...', 1")
      assert.isAtMost(SqlText.shownOf(`SELECT ${"b".repeat(3000)}`).length, 100)
    }
  })
})

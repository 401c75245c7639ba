import { poolTable } from "../../src/internal/options/poolTable.ts"
import { elsewhere, hint } from "../../src/internal/options/unknownOption.ts"
import { assert, describe, it } from "@effect/vitest"

describe("the hint for an unknown option", () => {
  it.each(Object.entries(elsewhere))("%s of other pools is %s here", (name, option) => {
    assert.property(poolTable, option)
    assert.strictEqual(hint(name, Object.keys(poolTable)), ` (did you mean "${option}"?)`)
  })
})

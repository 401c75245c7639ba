import { assert, describe, it } from "@effect/vitest"
import * as SqlText from "../../src/internal/sqlText.ts"

const words = (text: string) => SqlText.read(text)?.map(({ kind, text }) => `${kind} ${text}`)

describe("sqlText", () => {
  it("tells words, names, literals and marks apart", () =>
    assert.deepStrictEqual(
      words(`SELECT a."B ""x""", 'it''s', $1, $q$ it's $q$, E'a\\'b', 1.5e3 -- end\n/* no /* x */ */;`),
      [
        "word select",
        "word a",
        "mark .",
        "name B \"x\"",
        "mark ,",
        "literal it's",
        "mark ,",
        "mark 1",
        "mark ,",
        "literal  it's ",
        "mark ,",
        "literal a\\'b",
        "mark ,",
        "mark 1.5e3",
        "mark ;"
      ]
    ))

  for (
    const text of ["SELECT 'open", "SELECT \"open", "/* open", "$a$ open", "SELECT 'a\\'", "U&'d\\0061t'", "u&\"x\""]
  ) {
    it(`does not guess at ${text}`, () => assert.isUndefined(SqlText.read(text)))
  }

  it("shows no literal of whatever kind", () => {
    for (
      const secret of [
        "'hidden'",
        "'it''s hidden'",
        "E'a\\'hidden'",
        "$$hidden$$",
        "$x$hidden$x$",
        "U&'hidden'",
        "'hidden",
        "'a\\'hidden'"
      ]
    ) {
      const shown = SqlText.withoutLiterals(`ALTER ROLE a PASSWORD ${secret}`, 100)
      assert.notInclude(shown, "hidden", secret)
      assert.match(shown, /^ALTER ROLE a PASSWORD /)
    }
    assert.strictEqual(SqlText.withoutLiterals(`SELECT 'a', ${"b".repeat(200)}`, 20), "SELECT '...', bbbbbb")
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Dirt from "../../src/internal/dirt.ts"
import * as Verdict from "../../src/internal/verdict.ts"

describe("verdict", () => {
  const texts: ReadonlyArray<readonly [text: string, kind: Verdict.Kind, isShareable: boolean, dirt?: Dirt.Dirt]> = [
    ["SELECT 1", "select", true],
    ["\n  insert into t values (1)", "insert", true],
    ["UPDATE t SET a = 1", "update", true],
    ["delete from t", "delete", true],
    ["MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "other", true],
    ["WITH a AS (SELECT 1) SELECT * FROM a", "other", true],
    ["TABLE t", "other", true],
    ["VALUES (1)", "other", true],
    ["BEGIN", "other", false],
    ["COMMIT", "other", false],
    ["SET a = 1", "other", false],
    ["LISTEN a", "other", false],
    ["CREATE TABLE t (id int)", "other", false],
    ["CREATE TEMP TABLE t (id int)", "other", false, Dirt.temporary],
    ["SELECT set_config('a.b', 'c', true)", "select", true],
    ["SELECT set_config('a.b', 'c', false)", "select", false, Dirt.settings | Dirt.identity],
    ["SELECT pg_advisory_lock(1)", "select", false, Dirt.locks],
    ["SELECT 1 INTO TEMP t", "select", false, Dirt.temporary],
    ["/* SELECT */ BEGIN", "other", false],
    ["SELECTED", "other", false],
    ["", "other", false]
  ]
  for (const [text, kind, isShareable, dirt = Dirt.none] of texts) {
    it(`${JSON.stringify(text)} is of the kind ${kind}, may ${isShareable ? "" : "not "}be shared and leaves ${dirt}`, () => {
      const verdict = { kind, isShareable, dirt }
      assert.deepStrictEqual(Verdict.judge(text), verdict)
      // First and again: what is kept is what was judged, even though the expressions are used over and over.
      for (const _ of [1, 2, 3]) assert.deepStrictEqual(Verdict.of(text), verdict)
    })
  }
})

describe("Verdicts", () => {
  it("judges a text once", () => {
    const verdicts = new Verdict.Verdicts(10, 100)
    assert.strictEqual(verdicts.of("SELECT 1"), verdicts.of(["SELECT", "1"].join(" ")))
    assert.strictEqual(verdicts.size, 1)
  })

  it("stays within its bound however many texts there are, and never mixes them up", () => {
    const verdicts = new Verdict.Verdicts(10, 100)
    for (let i = 0; i < 1000; i++) {
      assert.strictEqual(verdicts.of(`SELECT ${i}`).kind, "select")
      assert.strictEqual(verdicts.of(`SELECT pg_advisory_lock(${i})`).dirt, Dirt.locks)
      assert.isAtMost(verdicts.size, 10)
    }
    assert.isAtLeast(verdicts.size, 1)
  })

  it("judges long texts too, but does not keep them", () => {
    const verdicts = new Verdict.Verdicts(10, 20)
    assert.strictEqual(verdicts.of(`DELETE FROM t WHERE name = '${"x".repeat(100)}'`).kind, "delete")
    assert.strictEqual(verdicts.size, 0)
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Dirt from "../../src/internal/dirt.ts"
import * as SqlText from "../../src/internal/sqlText.ts"
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
      const verdict = Verdict.judge(text)
      assert.deepInclude(verdict, { kind, isShareable, dirt })
      // First and again: what is kept is what was judged, even though the expressions are used over and over.
      for (const _ of [1, 2, 3]) assert.deepStrictEqual(Verdict.of(text), verdict)
    })
  }
})

describe("what may write", () => {
  const texts: ReadonlyArray<readonly [text: string, mayWrite: boolean, isCommit?: boolean]> = [
    ["SELECT 1", false],
    ["", false],
    ["SELECT 'insert into t', \"update\" FROM t FOR NO KEY UPDATE", false],
    ["SELECT 1 FROM t FOR UPDATE", false],
    ["SELECT 1 INTO t", true],
    ["WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", true],
    ["WITH a AS (SELECT 1) SELECT * FROM a", false],
    ["INSERT INTO t VALUES (1)", true],
    ["/* x */ SELECT 1", true],
    ["CALL p()", true],
    ["SET a = 1", false],
    ["ROLLBACK", false],
    ["COMMIT", true, true],
    ["END", true, true],
    ["PREPARE TRANSACTION 'a'", true, true],
    ["/* x */ COMMIT", true, true],
    ["; -- x\n ; END", true, true],
    ["; ROLLBACK", true],
    ["PREPARE a AS INSERT INTO t VALUES (1)", true]
  ]
  for (const [text, mayWrite, isCommit = false] of texts) {
    it(`${JSON.stringify(text)} ${mayWrite ? "does" : "does not"}${isCommit ? ", and commits" : ""}`, () => {
      const verdict = Verdict.judge(text)
      assert.deepStrictEqual([verdict.mayWrite, verdict.isCommit], [mayWrite, isCommit])
    })
  }
})

describe("what begins or ends a transaction", () => {
  const texts: ReadonlyArray<readonly [text: string, control: Verdict.Verdict["control"]]> = [
    ["BEGIN", "begins"],
    ["start transaction", "begins"],
    ["; BEGIN", "begins"],
    ["COMMIT", "ends"],
    ["; COMMIT", "ends"],
    [" ;; /* x */ ; abort", "ends"],
    ["/* done */; ROLLBACK", "ends"],
    ["; ROLLBACK TO a", undefined],
    ["; SELECT 'COMMIT'", undefined],
    ["", undefined],
    [";", undefined]
  ]
  for (const [text, control] of texts) {
    it(`${JSON.stringify(text)} ${control ?? "does not"}`, () => {
      assert.strictEqual(Verdict.judge(text).control, control)
    })
  }
})

describe("what is not prepared", () => {
  const texts: ReadonlyArray<readonly [text: string, changesReading: boolean, isOfTheMoment?: boolean]> = [
    ["SET TimeZone = 'UTC'", true],
    ["SET LOCAL DateStyle = 'ISO, DMY'", true],
    ["SET TIME ZONE 'UTC'", true],
    ["/* x */ SET SESSION IntervalStyle = 'iso_8601'", true],
    ["; SET TIME ZONE 'UTC'", true],
    ["SET LOCAL statement_timeout = '5s'", false],
    ["SET LOCAL app.tenant = 'acme'", false],
    ["SET search_path = a", false],
    ["SET TRANSACTION READ ONLY", false],
    ["SET SESSION AUTHORIZATION a", false],
    ["UPDATE t SET timezone = 'UTC'", false],
    ["SELECT set_config('app.tenant', $1, true)", false],
    ["SELECT set_config('TimeZone', $1, true)", true],
    ["SELECT set_config($1, $2, true)", true],
    ["UPDATE pg_settings SET setting = 'UTC'", true],
    ["SELECT 'now'::timestamptz", false, true],
    ["SELECT '{Today}'::date[], \"now\"", false, true],
    ["SELECT E'\\x6eow'::timestamptz", false, true],
    ["SELECT now(), 'knows' FROM t", false],
    ["SELECT a ~ '\\d' FROM t", false],
    ["SELECT now() -- 'now'", false]
  ]
  for (const [text, changesReading, isOfTheMoment = false] of texts) {
    it(`${JSON.stringify(text)} ${changesReading ? "changes" : "leaves"} how literals are read and is ${isOfTheMoment ? "" : "not "}of the moment`, () => {
      const verdict = Verdict.judge(text)
      assert.deepStrictEqual([verdict.changesReading, verdict.isOfTheMoment], [changesReading, isOfTheMoment])
    })
  }
})

describe("a text of 300 kB is judged in less than 100 ms, such as", () => {
  const long = (part: string) => part.repeat(Math.ceil(300_000 / part.length))
  const texts: Readonly<Record<string, string>> = {
    "UPDATEs that look like those of settings": long("UPDATE pg_settings temp "),
    "an UPDATE of many columns": `UPDATE t SET ${long("a = 'temp', ")}`,
    "calls of set_config": `SELECT ${long("set_config('a.b', 'c', ")}`,
    "CREATE OR REPLACE again and again": long("CREATE OR REPLACE LOCAL "),
    "modifiers before TEMP": `${long("OR REPLACE LOCAL GLOBAL RECURSIVE TEMP ")}`,
    "open comments": long("/*"),
    "open quotes": `SELECT temp, ${long("'")}`,
    "dollar signs": `SELECT temp, ${long("$a")}`,
    "opened dollar quotes": `SELECT temp, ${long("$ab $")}`,
    "white space": `${long(" \n\t")}temp`,
    "brackets": `SELECT set_config${long("(")}`,
    "names in quotes": `SELECT temp, ${long("\"\"")}`
  }
  for (const [what, text] of Object.entries(texts)) {
    it(`${what}`, () => {
      Verdict.judge(text.slice(0, 1000))
      const startedAt = performance.now()
      Verdict.judge(text)
      Dirt.ofTag("SET", text)
      SqlText.withoutLiterals(text, 100)
      assert.isBelow(performance.now() - startedAt, 100)
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

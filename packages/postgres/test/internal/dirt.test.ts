import { assert, describe, it } from "@effect/vitest"
import * as Dirt from "../../src/internal/dirt.ts"

describe("dirt", () => {
  const tags: ReadonlyArray<readonly [tag: string, text: string | undefined, dirt: Dirt.Dirt]> = [
    ["SELECT 1", "SELECT 1", Dirt.none],
    ["INSERT 0 1", undefined, Dirt.none],
    ["UPDATE 3", "UPDATE t SET role = 1", Dirt.none],
    ["BEGIN", "BEGIN", Dirt.none],
    ["RESET", "RESET ALL", Dirt.none],
    ["SET CONSTRAINTS", "SET CONSTRAINTS ALL DEFERRED", Dirt.none],
    ["SET", "SET work_mem = '1MB'", Dirt.settings],
    ["SET", " set local work_mem = '1MB'", Dirt.none],
    ["SET", "SET TRANSACTION READ ONLY", Dirt.none],
    ["SET", "SET ROLE admin", Dirt.settings | Dirt.identity],
    ["SET", "SET SESSION AUTHORIZATION admin", Dirt.settings | Dirt.identity],
    ["SET", "SET session_authorization TO admin", Dirt.settings | Dirt.identity],
    ["SET", "-- SET LOCAL\nSET work_mem = '1MB'", Dirt.settings],
    ["SET", "/* role */ SET /* x */ LOCAL work_mem = '1MB'", Dirt.none],
    ["SET", "; SET LOCAL work_mem = '1MB'", Dirt.none],
    ["SET", "SET \"Role\" TO admin", Dirt.settings | Dirt.identity],
    ["SET", "SET a.b = 'role'", Dirt.settings],
    ["SET", "SET a.b = 'C:\\'", Dirt.settings | Dirt.identity],
    ["SET", undefined, Dirt.settings | Dirt.identity],
    ["LISTEN", "LISTEN a", Dirt.listening],
    ["DECLARE CURSOR", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", Dirt.cursors],
    ["DO", "DO $$ ... $$", Dirt.anything],
    ["CALL", "CALL p()", Dirt.anything],
    ["PREPARE", "PREPARE a AS SELECT 1", Dirt.preparation],
    ["PREPARE TRANSACTION", "PREPARE TRANSACTION 'x'", Dirt.none],
    ["DEALLOCATE", "DEALLOCATE a", Dirt.preparation],
    ["DEALLOCATE ALL", "DEALLOCATE ALL", Dirt.preparation],
    ["DISCARD ALL", "DISCARD ALL", Dirt.preparation],
    ["DISCARD TEMP", "DISCARD TEMP", Dirt.none],
    ["LOAD", "LOAD 'x'", Dirt.preparation]
  ]
  for (const [tag, text, dirt] of tags) {
    it(`the tag ${tag}${text === undefined ? " of one of several statements" : ` of ${text}`} leaves ${dirt}`, () =>
      assert.strictEqual(Dirt.ofTag(tag, text), dirt))
  }

  const texts: ReadonlyArray<readonly [text: string, dirt: Dirt.Dirt]> = [
    ["SELECT temperature, template FROM attempts WHERE temp > 1", Dirt.none],
    ["SELECT set_config('a.b', $1, false)", Dirt.settings | Dirt.identity],
    ["select SET_CONFIG ('a.b', 'c', true)", Dirt.none],
    ["SELECT set_config('a.b', $1, true), set_config('c.d', $2, false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('a.b', current_user(), true)", Dirt.none],
    ["UPDATE pg_catalog.pg_settings SET setting = 'c' WHERE name = 'a.b'", Dirt.settings | Dirt.identity],
    ["SELECT setting FROM pg_settings WHERE name = 'a.b'", Dirt.none],
    ["SELECT pg_advisory_lock(1)", Dirt.locks],
    ["SELECT pg_try_advisory_lock_shared(1)", Dirt.locks],
    ["SELECT pg_advisory_xact_lock(1)", Dirt.none],
    ["CREATE TEMP TABLE a (id int)", Dirt.temporary],
    ["CREATE LOCAL TEMPORARY TABLE a (id int)", Dirt.temporary],
    ["CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Dirt.temporary],
    ["SELECT 1 INTO TEMP a", Dirt.temporary],
    ["CREATE TABLE pg_temp.a (id int)", Dirt.temporary],
    ["CREATE /* scratch */ TEMP TABLE a (id int)", Dirt.temporary],
    ["CREATE -- scratch\n TEMPORARY TABLE a (id int)", Dirt.temporary],
    ["CREATE/* a /* nested */ one */temp/**/table a (id int)", Dirt.temporary],
    ["CREATE OR /**/ REPLACE LOCAL TEMP RECURSIVE VIEW v AS SELECT 1", Dirt.temporary],
    ["CREATE TABLE \"pg_temp\".a (id int)", Dirt.temporary],
    ["CREATE TABLE pg_temp_3.a (id int)", Dirt.temporary],
    ["SELECT set_config('search_path', 'pg_temp', true)", Dirt.temporary],
    ["SELECT set_config($1, $2, true)", Dirt.temporary],
    ["SELECT 'CREATE TEMP TABLE a' AS text, \"temp\" FROM t -- INTO TEMP b", Dirt.none],
    ["SELECT set_config('app.tenant', 'acme, true)', false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', 'acme'', true)', false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', $$acme', true)$$, false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', 'acme' /* , true) */, false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', (SELECT 'a)'), true)", Dirt.none],
    ["SELECT set_config('app.tenant', 'acme', 1 = 1)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', 'acme', NOT true)", Dirt.settings | Dirt.identity],
    ["SELECT \"set_config\"('app.tenant', 'acme', false)", Dirt.settings | Dirt.identity],
    ["SELECT U&\"s\\0065t_config\"('app.tenant', 'acme', false)", Dirt.anything],
    ["SELECT U&'acme', temp FROM t", Dirt.anything],
    ["SELECT set_config('app.tenant', 'acme\\', true), ('x', false)", Dirt.anything],
    ["SELECT set_config('app.tenant', E'acme\\', true)', false)", Dirt.settings | Dirt.identity],
    ["SELECT set_config('app.tenant', 'acme, true)", Dirt.anything],
    ["UPDATE /* */ \"pg_settings\" SET setting = 'c'", Dirt.settings | Dirt.identity]
  ]
  for (const [text, dirt] of texts) {
    it(`the text ${text} leaves ${dirt}`, () => assert.strictEqual(Dirt.ofText(text), dirt))
  }

  it("each kind is taken away by its own statement, the identity first", () => {
    assert.deepStrictEqual(Dirt.cleaning(Dirt.none, true), [])
    assert.deepStrictEqual(Dirt.cleaning(Dirt.settings, true), ["RESET ALL"])
    assert.deepStrictEqual(Dirt.cleaning(Dirt.locks | Dirt.listening, true), [
      "UNLISTEN *",
      "SELECT pg_advisory_unlock_all()"
    ])
    assert.deepStrictEqual(Dirt.cleaning(Dirt.anything, true), [
      "SET SESSION AUTHORIZATION DEFAULT",
      "RESET ALL",
      "UNLISTEN *",
      "CLOSE ALL",
      "SELECT pg_advisory_unlock_all()",
      "DISCARD TEMP"
    ])
  })

  it("prepared statements can't be taken away beside those of the driver, and all at once without", () => {
    assert.isUndefined(Dirt.cleaning(Dirt.preparation | Dirt.settings, true))
    assert.deepStrictEqual(Dirt.cleaning(Dirt.preparation | Dirt.settings, false), ["DISCARD ALL"])
    assert.deepStrictEqual(Dirt.cleaning(Dirt.none, false), [])
  })
})

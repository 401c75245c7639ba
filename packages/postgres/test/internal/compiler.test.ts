import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Statement } from "effect/sql"
import * as Compiler from "../../src/internal/compiler.ts"

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

// Statements are only compiled here, so none gets a connection. The effect is a new one for each compiler, since
// constructors are kept by it.
const constructorOf = (compiler: Statement.Compiler) =>
  Statement.make(Effect.suspend(() => Effect.never), compiler, [], undefined)

const statements: ReadonlyArray<
  readonly [name: string, make: (sql: Statement.Constructor) => Statement.Statement<object>]
> = [
  ["text alone", (sql) => sql`SELECT 1`],
  ["nothing", (sql) => sql``],
  ["parameters", (sql) => sql`SELECT ${1}, ${"a"}, ${null}, ${undefined}, ${true}`],
  ["parameters side by side", (sql) => sql`${1}${2}`],
  ["an array as a parameter", (sql) => sql`SELECT * FROM t WHERE id = ANY(${[1, 2, 3]})`],
  ["a dollar in the text", (sql) => sql`SELECT '$1', ${1}`],
  ["a statement inside", (sql) => sql`SELECT * FROM (${sql`SELECT ${1} AS a`}) WHERE a = ${2}`],
  ["text from elsewhere", (sql) => sql`SELECT ${sql.literal("now()")}, ${1}`],
  ["unsafe text", (sql) => sql.unsafe("SELECT 1")],
  ["unsafe text with parameters", (sql) => sql.unsafe("SELECT $1, $2", [1, "b"])],
  ["unsafe text inside", (sql) => sql`SELECT ${sql.unsafe("$1", [5])}, ${6}`],
  ["conditions", (sql) => sql`SELECT * FROM t WHERE ${sql.and([sql`a = ${1}`, sql.or(["b", sql`c = ${2}`])])}`],
  ["a list of columns", (sql) => sql`SELECT ${sql.csv(["a", "b"])} FROM t`],
  ["an identifier", (sql) => sql`SELECT ${sql("userName")} FROM t WHERE a = ${1}`],
  ["IN", (sql) => sql`SELECT * FROM t WHERE ${sql.in("userId", [1, 2])} AND a = ${3}`],
  ["an empty IN", (sql) => sql`SELECT * FROM t WHERE id IN ${sql.in([])}`],
  ["an insert", (sql) => sql`INSERT INTO t ${sql.insert([{ userName: "a", b: 1 }, { userName: "b", b: 2 }])}`],
  ["an update", (sql) => sql`UPDATE t SET ${sql.update({ userName: "a", b: 1 }, ["b"])} WHERE b = ${2}`]
]

describe("compiler", () => {
  for (const transform of [undefined, snake]) {
    const full = PgClient.makeCompiler(transform)
    const ours = Compiler.make(full)
    for (const [name, make] of statements) {
      it(`gives what the driver's gives for ${name}${transform === undefined ? "" : ", names transformed"}`, () => {
        for (const withoutTransform of [false, true]) {
          const expected = make(constructorOf(full)).compile(withoutTransform)
          const statement = make(constructorOf(ours))
          assert.deepStrictEqual(statement.compile(withoutTransform), expected)
          assert.deepStrictEqual(statement.compile(withoutTransform), expected)
        }
        assert.deepStrictEqual(
          make(constructorOf(ours.withoutTransform)).compile(),
          make(constructorOf(full.withoutTransform)).compile()
        )
      })
    }
  }

  it("keeps parameters and text apart: what looks like SQL stays a parameter", () => {
    const sql = constructorOf(Compiler.make(PgClient.makeCompiler()))
    const evil = "'; DROP TABLE t; --"
    assert.deepStrictEqual(sql`SELECT ${evil}`.compile(), ["SELECT $1", [evil]])
  })

  it("gives each statement parameters of its own", () => {
    const sql = constructorOf(Compiler.make(PgClient.makeCompiler()))
    const params = [1, 2]
    const [, compiled] = sql.unsafe("SELECT $1, $2", params).compile()
    assert.notStrictEqual(compiled, params)
    assert.deepStrictEqual(compiled, params)
  })
})

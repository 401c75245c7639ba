import { PostgresPool, PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger } from "effect"

class Db extends PostgresPool.Service<Db>()("app/Db") {}

/** The defect of the test, or `matched`. */
const outcome = <E>(expected: ReadonlyArray<PostgresScript.Expectation>, effect: Effect.Effect<unknown, E, Db>) =>
  Effect.exit(effect).pipe(
    Effect.map((exit) => Exit.isSuccess(exit) ? "matched" : String((Cause.squash(exit.cause) as Error).message)),
    Effect.provide(Layer.merge(Db.layerTest(PostgresScript.make(expected)), Logger.layer([])))
  )

const byId = (id: unknown) => ({ statement: "SELECT * FROM t WHERE id = $1", params: [id], answer: [] })

describe("a script of expectations", () => {
  it.effect("tells of a statement that is not the next what was expected and what came", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* outcome([byId(7)], Db.query`SELECT * FROM t WHERE id = ${8}`),
        "the script expects SELECT * FROM t WHERE id = $1 with [ 7 ], and got SELECT * FROM t WHERE id = $1 with [ 8 ]: " +
          "parameter 1 differs"
      )
      assert.strictEqual(
        yield* outcome([{ statement: /^UPDATE a/, answer: [] }], Db.query`UPDATE b SET x = ${"it's"}`),
        "the script expects a statement like /^UPDATE a/, and got UPDATE b SET x = $1 with [ \"it's\" ]: " +
          "the statement is another"
      )
      assert.strictEqual(
        yield* outcome([{ statement: /SELECT/, params: [1, 2], answer: [] }], Db.query`SELECT ${1}`),
        "the script expects a statement like /SELECT/ with [ 1, 2 ], and got SELECT $1 with [ 1 ]: " +
          "it has 1 parameters, not 2"
      )
      assert.strictEqual(
        yield* outcome([], Db.query`SELECT ${1}`),
        "the script expects no more statements, and got SELECT $1 with [ 1 ]"
      )
    }))

  const at = new Date(1_700_000_000_000)
  it.effect.each<readonly [string, unknown, unknown]>([
    ["dates", new Date(at), at],
    ["lists", [1, [2, "x"]], [1, [2, "x"]]],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)],
    ["bytes of a Buffer", Buffer.from([1, 2]), new Uint8Array([1, 2])],
    ["lists of bytes", [Buffer.from([1])], [new Uint8Array([1])]],
    ["objects", { a: { b: [1] } }, { a: { b: [1] } }],
    ["numbers that are none", Number.NaN, Number.NaN]
  ])("takes equal %s for the same", ([, wanted, sent]) => {
    const expectation = { statement: /SELECT/, params: [wanted], answer: [] }
    return Effect.sync(() => {
      const script = PostgresScript.make([expectation])
      script.answer({ connection: 1, text: "SELECT $1", params: [sent] })
      assert.strictEqual(script.remaining(), 0)
    })
  })

  it("does not take for the same what differs", () => {
    const different: ReadonlyArray<readonly [unknown, unknown]> = [
      [new Date(0), new Date(1)],
      [new Date(0), 0],
      [[1, 2], [1, 2, 3]],
      [new Uint8Array([1]), new Uint8Array([2])],
      [1, "1"],
      [1, 1n],
      [null, undefined]
    ]
    for (const [wanted, sent] of different) {
      const script = PostgresScript.make([{ statement: /SELECT/, params: [wanted], answer: [] }])
      assert.throws(() => script.answer({ connection: 1, text: "SELECT $1", params: [sent] }), /parameter 1 differs/)
      assert.strictEqual(script.remaining(), 1)
    }
  })

  it.effect("finds a pattern again, with flags that remember where they were as well", () =>
    Effect.gen(function*() {
      for (const statement of [/^SELECT/g, /SELECT \d/gi, /SELECT/y]) {
        const twice = Effect.andThen(Db.query`SELECT 1`, Db.query`SELECT 2`)
        const expectations = [{ statement, answer: [] }, { statement, answer: [] }]
        assert.strictEqual(yield* outcome(expectations, twice), "matched", String(statement))
      }
    }))
})

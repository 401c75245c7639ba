import { PostgresScript } from "@effect-pools/postgres"
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { Effect, Stream, Tracer } from "effect"
import { SqlClient, Statement } from "effect/sql"
import { Db } from "./support.ts"

/** All ways to run a statement, by the names that Effect gives them in spans. */
const ways: Readonly<Record<string, (statement: Statement.Statement<unknown>) => Effect.Effect<unknown, unknown>>> = {
  execute: (statement) => statement,
  executeWithoutTransform: (statement) => statement.withoutTransform,
  executeRaw: (statement) => statement.raw,
  executeValues: (statement) => statement.values,
  executeValuesUnprepared: (statement) => statement.valuesUnprepared,
  executeUnprepared: (statement) => statement.unprepared,
  executeStream: (statement) => Stream.runCollect(statement.stream)
}

const inAllWays = (sql: Statement.Constructor, text: string) =>
  Effect.forEach(Object.values(ways), (way) => way(sql`SELECT ${sql.literal(text)}`), { discard: true })

/** The same by each client that a program may have. */
const everywhere = Effect.gen(function*() {
  yield* Effect.forEach(Object.values(ways), (way) => Db.query((sql) => way(sql`SELECT ${sql.literal("query")}`)))
  yield* Db.withConnection((sql) => inAllWays(sql, "lease"))
  yield* Db.transaction((sql) => inAllWays(sql, "transaction"))
  yield* inAllWays(yield* SqlClient.SqlClient, "client")
}).pipe(Effect.provide(Db.layerTest(PostgresScript.make(() => [{ id: 7 }]))))

const texts = ["query", "lease", "transaction", "client"].map((client) => `SELECT ${client}`)

interface Seen {
  readonly method: unknown
  readonly text: unknown
  readonly system: unknown
  readonly hasEnded: boolean
}

const seenOf = (spans: ReadonlyArray<Tracer.Span>): ReadonlyArray<Seen> =>
  spans.filter(({ attributes }) => attributes.has("effect.sql.method")).map(({ attributes, status }) => ({
    method: attributes.get("effect.sql.method"),
    text: attributes.get("db.query.text"),
    system: attributes.get("db.system.name"),
    hasEnded: status._tag === "Ended"
  }))

const expected: ReadonlyArray<Seen> = texts.flatMap((text) =>
  Object.keys(ways).map((method) => ({ method, text, system: "postgresql", hasEnded: true }))
)

/** The spans that Effect's own tracer makes. */
const spyOnNative = (): Array<Tracer.Span> => {
  const spans: Array<Tracer.Span> = []
  const { span } = Tracer.nativeTracer
  vi.spyOn(Tracer.nativeTracer, "span").mockImplementation((options) => {
    const made = span.call(Tracer.nativeTracer, options)
    spans.push(made)
    return made
  })
  return spans
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("the span of a statement", () => {
  it.effect("is what any other tracer than Effect's own gets, whoever runs the statement and how", () => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.gen(function*() {
      yield* Effect.withTracer(everywhere, tracer)
      assert.deepStrictEqual(seenOf(spans), expected)
    })
  })

  it.effect("is made for a stream alone where nobody sees it", () => {
    const spans = spyOnNative()
    return Effect.gen(function*() {
      yield* everywhere
      assert.deepStrictEqual(seenOf(spans), expected.filter(({ method }) => method === "executeStream"))
    })
  })

  it.effect("is there for a driver that asks for it", () => {
    const spans = spyOnNative()
    return Effect.gen(function*() {
      yield* Effect.provideService(everywhere, Statement.SpanPropagationEnabled, true)
      assert.deepStrictEqual(seenOf(spans), expected)
    })
  })

  it.effect("is there for a transformer, which may change the statement", () => {
    const seen: Array<unknown> = []
    const transformer: Statement.Transformer = (statement, sql, _, span) => {
      seen.push(span.name)
      return Effect.succeed(sql`SELECT ${sql.literal(`not ${statement.compile()[0]}`)}`)
    }
    const script = PostgresScript.make(() => [])
    return Effect.gen(function*() {
      yield* Db.query`SELECT 1`
      yield* Db.transaction((sql) => sql`SELECT 2`.raw)
      assert.deepStrictEqual(
        script.statements.map(({ text }) => text),
        ["SELECT not SELECT 1", "BEGIN", "SELECT not SELECT 2", "COMMIT"]
      )
      assert.strictEqual(seen.length, 2)
    }).pipe(
      Effect.provideService(Statement.CurrentTransformer, transformer),
      Effect.provide(Db.layerTest(script))
    )
  })

  it.effect("leaves a statement a fragment of others, and JSON", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const condition = sql`id = ${7}`
      assert.isTrue(Statement.isFragment(condition))
      assert.deepStrictEqual(sql`SELECT 1 WHERE ${condition}`.compile(), ["SELECT 1 WHERE id = $1", [7]])
      assert.deepInclude(JSON.parse(JSON.stringify(condition)), { _id: "Statement", sql: "id = $1", params: [7] })
      assert.strictEqual(sql("id").value, "id")
      assert.strictEqual(sql.safe, sql)
    }).pipe(Effect.provide(Db.layerTest(PostgresScript.make(() => [])))))
})

import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Db, withDb } from "./support.ts"

/** An expression, and what `pg` makes of it, but for arrays of other types, which it leaves as text. */
const readings: ReadonlyArray<readonly [expression: string, value: unknown]> = [
  ["'[1,5)'::int4range", "[1,5)"],
  ["'empty'::int4range", "empty"],
  ["'(,5]'::int8range", "(,6)"],
  ["'[1.5,2.50]'::numrange", "[1.5,2.50]"],
  ["'[2024-01-01,)'::daterange", "[2024-01-01,)"],
  ["tsrange('2024-01-01 10:00:00.5', 'infinity')", "[\"2024-01-01 10:00:00.5\",infinity)"],
  ["tstzrange('2024-01-01', '2024-02-01')", "[\"2024-01-01 00:00:00+00\",\"2024-02-01 00:00:00+00\")"],
  ["'{[1,3),[5,7)}'::int4multirange", "{[1,3),[5,7)}"],
  ["'{[2024-01-01,2024-01-03)}'::datemultirange", "{[2024-01-01,2024-01-03)}"],
  ["ARRAY['[1,2)'::int4range, NULL]", ["[1,2)", null]],
  ["ARRAY['ok','sad']::mood[]", ["ok", "sad"]],
  ["'ok'::mood", "ok"],
  ["'{}'::mood[]", []],
  ["12.34::money", "$12.34"],
  ["'-1234567.05'::money", "-$1,234,567.05"],
  ["ARRAY[1::money]", ["$1.00"]],
  ["B'101'", "101"],
  ["B'101010101'::varbit", "101010101"],
  ["'(1,2)'::point", { x: 1, y: 2 }],
  ["ARRAY['(1,2)'::point]", [{ x: 1, y: 2 }]],
  ["'<(1,2.5),3>'::circle", { x: 1, y: 2.5, radius: 3 }],
  ["'[(0,0),(1,1)]'::lseg", "[(0,0),(1,1)]"],
  ["'((0,0),(1,1))'::box", "(1,1),(0,0)"],
  ["'((0,0),(1,1e20))'::path", "((0,0),(1,1e+20))"],
  ["'[(0,0),(1,0.00001)]'::path", "[(0,0),(1,1e-05)]"],
  ["'((0,0),(1,1),(2,0))'::polygon", "((0,0),(1,1),(2,0))"],
  ["'{1,2,3}'::line", "{1,2,3}"],
  ["ARRAY[[1,2],[3,4]]", [[1, 2], [3, 4]]],
  ["'[0:1]={7,8}'::int[]", [7, 8]],
  ["ARRAY[[['a',NULL]]]::text[]", [[["a", null]]]],
  ["to_tsvector('simple', 'a b a')", "'a':1,3 'b':2"],
  ["'b:2A c'::tsvector", "'b':2A 'c'"],
  ["'a & (b | !c:*A) <-> d'::tsquery", "'a' & ( 'b' | !'c':*A ) <-> 'd'"],
  ["'a <2> b'::tsquery", "'a' <2> 'b'"],
  ["ROW(1, 'a')", "(1,a)"],
  [
    "ROW(NULL, 'a b', '', 1.50, true, 'x\"y', ARRAY[1,2], 'ok'::mood)",
    "(,\"a b\",\"\",1.50,t,\"x\"\"y\",\"{1,2}\",ok)"
  ],
  [
    "ROW('2024-01-01 10:00'::timestamptz, '1 year -2 days'::interval, 0.1::float4)",
    "(\"2024-01-01 10:00:00+00\",\"1 year -2 days\",0.1)"
  ],
  ["(1, 'x')::pair", "(1,x)"],
  ["ARRAY[(1, 'x')::pair]", ["(1,x)"]],
  ["'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03"],
  ["'08:00:2b:01:02:03:04:05'::macaddr8", "08:00:2b:01:02:03:04:05"],
  ["'<a>1</a>'::xml", "<a>1</a>"],
  ["'x'::\"char\"", "x"],
  ["'$.a[*]'::jsonpath", "$.\"a\"[*]"],
  ["'0/16B3748'::pg_lsn", "0/16B3748"],
  ["'(3,4)'::tid", "(3,4)"],
  ["'42'::xid", "42"],
  ["'42'::xid8", "42"],
  ["'10:20:10,14'::pg_snapshot", "10:20:10,14"],
  ["'1 2 3'::int2vector", "1 2 3"],
  ["'1 2 3'::oidvector", "1 2 3"],
  ["'infinity'::timestamptz", Infinity],
  ["'-infinity'::timestamp", -Infinity],
  ["'290000-01-01 00:00:00'::timestamp", "290000-01-01 00:00:00"],
  ["ARRAY['infinity', '2024-01-01']::timestamptz[]", [Infinity, new Date("2024-01-01T00:00:00Z")]],
  ["'infinity'::date", "infinity"],
  ["'2024-01-02 03:04:05.678Z'::timestamptz", new Date("2024-01-02T03:04:05.678Z")],
  ["'h'::varchar", "h"],
  ["'e'::email", "e"]
]

const one = (expression: string) =>
  Effect.map(Db.query((sql) => sql.unsafe<{ v: unknown }>(`SELECT ${expression} AS v`)), ([row]) => row?.v)

const setUp = Effect.gen(function*() {
  yield* Db.query`CREATE TYPE mood AS ENUM ('sad', 'ok')`
  yield* Db.query`CREATE TYPE pair AS (a int, b text)`
  yield* Db.query`CREATE TYPE floats AS RANGE (subtype = float8)`
  yield* Db.query`CREATE DOMAIN email AS text`
})

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("types", (it) => {
  it.effect("every type built in reads as pg reads it, and made ones as text", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* setUp
        for (const [expression, value] of readings) {
          assert.deepStrictEqual(yield* one(expression), value, expression)
          assert.deepStrictEqual(yield* one(expression), value, `${expression}, by its prepared name`)
          const rows = yield* Stream.runCollect(Db.stream((sql) => sql.unsafe(`SELECT ${expression} AS v`).stream))
          assert.deepStrictEqual(rows, [{ v: value }], `${expression}, in a stream`)
        }
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("a value that nobody can read fails its own statement and keeps the connection", () =>
    withDb(
      { maxConnections: 1 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE kept (id int, span floats)`
        const error = yield* Effect.flip(Db.query`INSERT INTO kept VALUES (1, '[1,2)') RETURNING span`)
        assert.strictEqual(error._tag, "SqlError")
        assert.isFalse(error.isRetryable)
        assert.match(String(error.reason.cause), /"span" can't be read.*::text.*was carried out/)
        const stream = Db.stream((sql) =>
          sql`SELECT g AS n, CASE g WHEN 3 THEN span END AS s
          FROM kept, generate_series(1, 3) g`.stream
        )
        const seen: Array<unknown> = []
        const failed = yield* Effect.flip(Stream.runForEach(stream, (row) => Effect.sync(() => seen.push(row))))
        assert.match(String(failed.reason.cause), /"s" can't be read/)
        assert.deepStrictEqual(yield* Db.query`SELECT id, span::text FROM kept`, [{ id: 1, span: "[1,2)" }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))

  it.effect("COPY and a row above maxMessageSize are errors of their own that keep the connection", () =>
    withDb(
      { maxConnections: 1, maxMessageSize: 100_000 },
      Effect.gen(function*() {
        yield* Db.query`CREATE TABLE copied (t text)`
        yield* Db.query`INSERT INTO copied SELECT repeat('x', 200000) FROM generate_series(1, 5)`
        for (
          const [text, what] of [
            ["COPY copied FROM STDIN", /COPY from or to the client is not supported/],
            ["COPY copied TO STDOUT", /COPY from or to the client is not supported/],
            ["SELECT t FROM copied", /a row of 200\d\d\d bytes exceeds maxMessageSize, which is 100000 bytes/]
          ] as const
        ) {
          const error = yield* Effect.flip(Db.query((sql) => sql.unsafe(text)))
          assert.match(String(error.reason.cause), what)
          assert.isFalse(error.isRetryable, text)
        }
        assert.deepStrictEqual(yield* Db.query`SELECT count(*)::int AS n FROM copied`, [{ n: 5 }])
        assert.strictEqual((yield* Db.stats).counts.opened, 1)
      })
    ))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Codec from "../src/internal/codec.ts"
import { shortWay } from "../src/internal/plainJson.ts"
import { Note } from "./support.ts"

class Order extends Schema.Class<Order>("Order")({ at: Schema.DateFromString, lines: Schema.Array(Note) }) {}

const Short = Schema.Struct({ text: Schema.String.check(Schema.isMaxLength(3)) })

/** One that answers only later. */
const Later = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: { _tag: "TransformEffect", transform: (text: string) => Effect.delay(Effect.succeed(text), 1) },
    encode: { _tag: "TransformEffect", transform: (text: string) => Effect.delay(Effect.succeed(text), 1) }
  } as never)
)

const loop: { self?: unknown } = {}
loop.self = loop

const texts = [
  "",
  "secret, not JSON",
  "null",
  "7",
  "\"a\"",
  "{\"text\":\"abc\"}",
  "{\"text\":\"abcd\"}",
  "{\"text\":12345}",
  "{\"text\":\"abc\",\"id\":\"1\",\"more\":[1]}",
  "{\"at\":\"2026-01-02T03:04:05.000Z\",\"lines\":[{\"text\":\"a\"}]}",
  "{\"at\":\"2026-01-02T03:04:05.000Z\",\"lines\":[{\"text\":\"a\"},{}]}",
  "{\"__proto__\":{\"text\":\"abc\"}}"
]

const messages: ReadonlyArray<unknown> = [
  undefined,
  null,
  7,
  7n,
  "a",
  loop,
  () => 1,
  { text: "abc" },
  { text: "abcd" },
  { text: 12345 },
  { text: "abc", id: "1", more: [1] },
  new Order({ at: new Date(0), lines: [{ text: "a" }] }),
  { at: new Date(0), lines: [] }
]

describe.each<readonly [string, Schema.Codec<any>]>([
  ["anything", Schema.Any],
  ["a struct", Note],
  ["a check", Short],
  ["a class", Order],
  ["a transformation", Schema.FiniteFromString],
  ["JSON in JSON", Schema.fromJsonString(Note)],
  ["what comes later", Later as Schema.Codec<any>]
])("plain JSON of %s", (_, inner) => {
  const plain = Schema.fromJsonString(inner)
  const short = Codec.make<any>(plain)
  // Nobody can tell what a function of a user's does, so that this one takes the schema's own way.
  const own = Codec.make<any>(Schema.fromJsonString(inner, { reviver: (_key, value) => value }))

  it("has a short way, and none when JSON is read otherwise", () => {
    assert.isDefined(shortWay(plain))
    assert.isUndefined(shortWay(Schema.fromJsonString(inner, { reviver: (_key, value) => value })))
  })

  it.each(texts)("decodes %j as the schema itself does", (text) => {
    assert.deepStrictEqual(inspect(short.decode(text), { depth: 9 }), inspect(own.decode(text), { depth: 9 }))
  })

  it("does not decode bytes, as the schema itself doesn't", () => {
    const bytes = Buffer.from(texts[5]!)
    assert.isTrue(Result.isFailure(short.decode(bytes)))
    assert.deepStrictEqual(short.decode(bytes), own.decode(bytes))
  })

  it.each(messages.map((message) => [inspect(message), message]))(
    "encodes %s as the schema itself does",
    (_, message) => {
      assert.deepStrictEqual(short.encode(message), own.encode(message))
    }
  )
})

describe("a schema with more to it than plain JSON", () => {
  it.each<readonly [string, Schema.Codec<any, string>]>([
    ["a replacer", Schema.fromJsonString(Note, { replacer: ["text"] })],
    ["a reviver", Schema.fromJsonString(Note, { reviver: (_key, value) => value })],
    ["spaces", Schema.fromJsonString(Note, { space: 2 })],
    ["a check of its own", Schema.fromJsonString(Note).check(Schema.makeFilter(() => true))],
    [
      "a transformation of its own",
      Schema.fromJsonString(Schema.String).pipe(Schema.decodeTo(Schema.FiniteFromString))
    ],
    ["no JSON", Schema.FiniteFromString]
  ])("as %s, has no short way", (_, schema) => {
    assert.isUndefined(shortWay(schema))
  })

  it("keeps its spaces", () => {
    const codec = Codec.make(Schema.fromJsonString(Note, { space: 1 }))
    assert.deepStrictEqual(codec.encode({ text: "a" }), Result.succeed("{\n \"text\": \"a\"\n}"))
  })

  it("keeps its checks", () => {
    const codec = Codec.make(Schema.fromJsonString(Note).check(Schema.makeFilter(() => false)))
    assert.isTrue(Result.isFailure(codec.decode("{\"text\":\"a\"}")))
    assert.isTrue(Result.isFailure(codec.encode({ text: "a" })))
  })
})

describe("a description", () => {
  it("does not make JSON less plain", () => {
    assert.isDefined(shortWay(Schema.fromJsonString(Note).annotate({ description: "a note" })))
  })
})

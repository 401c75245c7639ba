import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { RawReply } from "../../src/RedisCommand.ts"
import { Parser } from "../../src/internal/resp.ts"

/** The answers that are read of chunks, as they are given, and what was wrong with them. */
const parsed = (chunks: ReadonlyArray<string | Buffer>, wantsText: boolean, maxReplySize = 65_536) => {
  const replies: Array<RawReply> = []
  const parser = new Parser(maxReplySize, (reply) => {
    replies.push(reply)
    return undefined
  }, () => wantsText)
  let fault: string | undefined
  for (const chunk of chunks) fault = parser.write(Buffer.from(chunk as Buffer))
  return { replies, fault }
}

const read = (chunks: ReadonlyArray<string | Buffer>, maxReplySize?: number, wantsText = false) => {
  const { fault, replies } = parsed(chunks, wantsText, maxReplySize)
  return { replies: replies.map(shown), fault }
}

/** Texts in place of bytes, and errors by their message. */
const shown = (reply: RawReply): unknown =>
  Buffer.isBuffer(reply)
    ? reply.toString()
    : reply instanceof Error
    ? `${reply.name}: ${reply.message}`
    : Array.isArray(reply)
    ? reply.map(shown)
    : reply

type Written = string | number | null | { readonly sign: "+" | "-"; readonly line: string } | ReadonlyArray<Written>

const Written: Schema.Codec<Written> = Schema.Union([
  Schema.String,
  Schema.Int,
  Schema.Null,
  Schema.Struct({ sign: Schema.Literals(["+", "-"]), line: Schema.String.check(Schema.isPattern(/^[^\r\n]*$/)) }),
  Schema.Array(Schema.suspend((): Schema.Codec<Written> => Written))
])

/** As a server answers it. */
const written = (value: Written): string => {
  if (value === null) return "$-1\r\n"
  if (typeof value === "number") return `:${value}\r\n`
  if (typeof value === "string") return `$${Buffer.byteLength(value)}\r\n${value}\r\n`
  if ("sign" in value) return `${value.sign}${value.line}\r\n`
  return `*${value.length}\r\n${value.map(written).join("")}`
}

/** As it is read. */
const asShown = (value: Written): unknown => {
  // Half a surrogate pair has no bytes, and 0 has no sign.
  if (typeof value === "string") return Buffer.from(value).toString()
  if (typeof value === "number") return value + 0
  if (value === null) return null
  if ("sign" in value) return value.sign === "-" ? `ReplyError: ${String(asShown(value.line))}` : asShown(value.line)
  return value.map(asShown)
}

const cutAt = (bytes: Buffer, cuts: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end))
}

const answers =
  "+OK\r\n-WRONGTYPE no\r\n:-7\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n$4\r\na\r\nb\r\n*2\r\n:1\r\n-ERR in it\r\n+ä\r\n+\r\n"
const values = [
  "OK",
  "ReplyError: WRONGTYPE no",
  -7,
  "",
  null,
  null,
  [],
  ["a\r\nb", [1, "ReplyError: ERR in it"], "ä"],
  ""
]

describe("the reader of answers", () => {
  it("reads every kind of answer", () => {
    assert.deepStrictEqual(read([answers]), { replies: values, fault: undefined })
  })

  it("reads the same wherever a chunk ends", () => {
    const bytes = Buffer.from(answers)
    for (let first = 0; first <= bytes.length; first++) {
      const chunks = [bytes.subarray(0, first), bytes.subarray(first)]
      assert.deepStrictEqual(read(chunks), { replies: values, fault: undefined }, `cut at ${first}`)
    }
    assert.deepStrictEqual(read(Array.from(bytes, (byte) => Buffer.from([byte]))).replies, values)
  })

  it.prop(
    "any answers are read the same wherever the chunks end",
    [
      Arbitrary.array(Arbitrary.schema(Written)),
      Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))))
    ],
    ([values, cuts]) => {
      const bytes = Buffer.from(values.map(written).join(""))
      for (const wantsText of [false, true]) {
        const all = read(cutAt(bytes, cuts), undefined, wantsText)
        assert.deepStrictEqual(all, { replies: values.map(asShown), fault: undefined })
      }
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "whatever comes, it does not throw, and reads nothing after a fault",
    [Arbitrary.array(Arbitrary.schema(Schema.Literals(["*", "$", ":", "+", "-", "1", "2", "9", "\r\n", "\n", "a"])))],
    ([parts]) => {
      const parser = new Parser(65_536, () => undefined, () => true)
      const fault = parts.map((part) => parser.write(Buffer.from(part))).find((found) => found !== undefined)
      return fault === undefined || parser.write(Buffer.from("+OK\r\n")) === fault
    },
    { arbitrary: { runs: 500 } }
  )

  for (
    const wrong of [
      "H",
      "\r\n",
      "\n",
      "+OK\n",
      ":\r\n",
      ":1a\r\n",
      ":--1\r\n",
      "$-2\r\n",
      "*-2\r\n",
      "$abc\r\n",
      "$\r\n",
      "$3\r\nabcd\r\n",
      "$99999999999999999999\r\n",
      "$999999999999999999999999999\r\n",
      "%1\r\n",
      ">1\r\n",
      "_\r\n"
    ]
  ) {
    it(`${JSON.stringify(wrong)} is no answer`, () => {
      const { fault, replies } = read([wrong, "+OK\r\n"])
      assert.include(fault, "protocol")
      assert.deepStrictEqual(replies, [])
    })
  }

  it("integers that a number can't hold are not rounded", () => {
    const { replies } = read([":9007199254740993\r\n:-9223372036854775808\r\n:9007199254740991\r\n"])
    assert.deepStrictEqual(replies, [9_007_199_254_740_993n, -9_223_372_036_854_775_808n, 9_007_199_254_740_991])
  })

  it("an answer ends at the limit, be it one long or many short ones", () => {
    const limit = 65_536
    assert.strictEqual(
      read([`$65527\r\n${"x".repeat(65_527)}\r\n`], limit).fault,
      "an answer is larger than 65536 bytes (maxReplySize)"
    )
    // What holds the bytes takes room as well.
    assert.isUndefined(read([`$65527\r\n${"x".repeat(65_527)}\r\n`], limit + 1 + 180).fault)
    for (
      const endless of ["$65537\r\n", "*65537\r\n", "+" + "x".repeat(70_000), "*60000\r\n" + ":1\r\n".repeat(20_000)]
    ) {
      assert.include(read([endless], limit).fault, "maxReplySize")
    }
    // Each by itself has room.
    assert.isUndefined(read([":1\r\n".repeat(20_000)], limit).fault)
  })

  it("lists in lists without end are no recursion", () => {
    assert.include(read(["*1\r\n".repeat(10_000)]).fault, "lists in lists")
    assert.isUndefined(read([`${"*1\r\n".repeat(200)}:1\r\n`]).fault)
  })

  it("what comes in pieces is a text for whoever wants one, and bytes of its own for all others", () => {
    // The first is cut inside of a character.
    const pieces = cutAt(Buffer.from("$5\r\nschö\r\n$5\r\nfirst\r\n"), [8, 10, 17])
    assert.deepStrictEqual(parsed(pieces, true).replies, ["schö", "first"])
    // Bytes that were given stay as they are when others are joined.
    assert.deepStrictEqual(parsed(pieces, false).replies, [Buffer.from("schö"), Buffer.from("first")])
    const noText = [Buffer.from([0x24, 0x32, 0x0d, 0x0a, 0xff]), Buffer.from([0xfe, 0x0d, 0x0a]), ...pieces]
    assert.deepStrictEqual(parsed(noText, true).replies, [Buffer.from([0xff, 0xfe]), "schö", "first"])
    // Only the answer as a whole is known to be wanted as a text.
    const list = ["*2\r\n$2\r\na", "b\r\n$2\r\nc", "d\r\n"]
    assert.deepStrictEqual(parsed(list, true).replies, [[Buffer.from("ab"), Buffer.from("cd")]])
  })

  it("what the taker of an answer calls wrong ends the reading", () => {
    let taken = 0
    const parser = new Parser(65_536, () => ++taken === 2 ? "enough" : undefined, () => false)
    assert.strictEqual(parser.write(Buffer.from(":1\r\n:2\r\n:3\r\n")), "enough")
    assert.strictEqual(taken, 2)
  })

  it("counts the memory that an answer takes, and not what came for it", () => {
    const items = (count: number, item: string) => `*${count}\r\n${item.repeat(count)}`
    for (const item of ["+\r\n", "$0\r\n\r\n", ":1\r\n", "-x\r\n", "*0\r\n", "*1\r\n:1\r\n"]) {
      assert.include(String(read([items(6000, item)]).fault), "maxReplySize", item)
    }
    assert.isUndefined(read([items(300, "+\r\n")]).fault)
    assert.isUndefined(read(Array.from({ length: 100 }, () => items(300, "+\r\n"))).fault)
    // A list that says that it is long needs its places before the first item has come.
    assert.include(String(read(["*9000\r\n"]).fault), "maxReplySize")
  })

  it("keeps the beginning of an error", () => {
    const { replies } = read([`-ERR ${"x".repeat(50_000)}\r\n`])
    assert.strictEqual(String(replies[0]).length, "ReplyError: ".length + 1024)
  })
})

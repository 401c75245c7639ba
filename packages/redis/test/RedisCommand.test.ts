import { RedisCommand } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"

const { any, bytes, flag, float, int, list, map, Mismatch, ok, orUndefined, pair, pairs, record, text } = RedisCommand
const b = (value: string): Buffer => Buffer.from(value)

const refuses = <A>(decode: RedisCommand.Decoder<A>, replies: ReadonlyArray<RedisCommand.RawReply>): void => {
  for (const reply of replies) assert.instanceOf(decode(reply), Mismatch)
}

describe("decoders", () => {
  it("read what they are for, and refuse everything else", () => {
    assert.strictEqual(text(b("é")), "é")
    assert.strictEqual(text("x"), "x")
    refuses(text, [1, null, []])
    assert.deepStrictEqual(bytes("x"), b("x"))
    refuses(bytes, [1, null])
    assert.strictEqual(int(7), 7)
    refuses(int, [b("7"), 1.5, 2 ** 53, null])
    assert.strictEqual(float(b("-3.5")), -3.5)
    assert.strictEqual(float(2), 2)
    assert.deepStrictEqual([float(b("inf")), float(b("-inf"))], [Infinity, -Infinity])
    refuses(float, [b(""), b("x"), null])
    assert.deepStrictEqual([flag(1), flag(0)], [true, false])
    refuses(flag, [2, null, b("1")])
    assert.isUndefined(ok(b("OK")))
    refuses(ok, [b("QUEUED"), null])
  })

  it("are put together", () => {
    assert.isUndefined(orUndefined(text)(null))
    assert.strictEqual(orUndefined(text)(b("x")), "x")
    assert.deepStrictEqual(list(int)([1, 2]), [1, 2])
    refuses(list(int), [[1, b("x")], 1, null])
    assert.deepStrictEqual(pair(text, int)([b("a"), 1]), ["a", 1])
    refuses(pair(text, int), [[b("a")], [1, 1], [b("a"), b("1")], null])
    assert.deepStrictEqual(pairs(text, int)([b("a"), 1, b("c"), 2]), [["a", 1], ["c", 2]])
    assert.deepStrictEqual(pairs(text, int)([[b("a"), 1]]), [["a", 1]])
    assert.deepStrictEqual(pairs(text, int)([]), [])
    refuses(pairs(text, int), [[b("a")], null])
    assert.deepStrictEqual({ ...record(text)([b("a"), b("1")]) as object }, { a: "1" })
    assert.strictEqual(map(int, (n) => n + 1)(1), 2)
    refuses(map(int, (n) => n + 1), [null])
  })

  it("any takes whatever comes, but for errors within", () => {
    assert.deepStrictEqual(any([b("a"), 1, null, [b("b")], 5n]), ["a", 1, null, ["b"], "5"])
    refuses(any, [[new Error("x")]])
  })
})

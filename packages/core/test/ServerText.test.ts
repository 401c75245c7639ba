import { Describe, ServerText, SocketError } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"

describe("a text of a server", () => {
  it("has no character that begins a line, paints, hides or turns others around", () => {
    const bad = [
      "\0",
      "\t",
      "\r\n",
      "\x1b",
      "\x7f",
      "\x85",
      "\x9b",
      "\u00ad",
      "\u061c",
      "\u200b",
      "\u200f",
      "\u2028",
      "\u2029"
    ]
    const worse = ["\u202e", "\u2060", "\u2066", "\ufeff", "\ufffb"]
    for (const text of [...bad, ...worse]) {
      for (const cleaned of [ServerText.clean(`a${text}b`), Describe.oneLine(`a${text}b`)]) {
        assert.match(cleaned, /^a {1,2}b$/, JSON.stringify(text))
      }
    }
    assert.strictEqual(ServerText.clean("größer als 漢字 🙂"), "größer als 漢字 🙂")
  })

  it("is bounded, and cut in no half of a character", () => {
    assert.strictEqual(ServerText.clean("x".repeat(20_000_000)).length, 300)
    assert.strictEqual(ServerText.clean("ab🙂", 3), "ab\ufffd")
    assert.isTrue(ServerText.clean("🙂".repeat(200), 101).isWellFormed())
  })

  it("is the message of an error, or what is told otherwise", () => {
    assert.strictEqual(ServerText.messageOf(new Error("a\nb"), "it failed"), "a b")
    for (const nothing of [new Error(""), "text", undefined, { message: "m" }]) {
      assert.strictEqual(ServerText.messageOf(nothing, "it failed"), "it failed")
    }
    const odd = Object.assign(new Error("x"), { message: 1 })
    assert.strictEqual(ServerText.messageOf(odd, "it failed"), "it failed")
  })

  it("is a code only where it is a word", () => {
    for (const code of ["ECONNREFUSED", "42P01", "ERR_TLS_CERT-X.1"]) assert.strictEqual(ServerText.word(code), code)
    for (const code of ["", "a b", "a\n", "x".repeat(65), 7, undefined]) assert.isUndefined(ServerText.word(code))
    assert.isUndefined(SocketError.codeOf({ code: "x".repeat(20_000_000) }))
  })
})

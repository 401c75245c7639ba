import { RedisScript } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import * as Fault from "../../src/internal/fault.ts"

describe("the error of a command", () => {
  const of = (code: string, text: string, ...args: ReadonlyArray<string>) =>
    Fault.make("SET", args, RedisScript.failure(code, text), true)

  it("has the server's code, and says whether the same may succeed later", () => {
    assert.strictEqual(of("WRONGTYPE", "not so").message, "SET: WRONGTYPE not so")
    assert.isFalse(of("WRONGTYPE", "").isRetryable)
    for (const code of ["TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "BUSY"]) assert.isTrue(of(code, "").isRetryable, code)
    assert.strictEqual(of("READONLY", "").reason._tag, "ReadOnly")
    assert.strictEqual(of("LOADING", "").reason._tag, "Loading")
    assert.isTrue(of("LOADING", "").isRetryable)
    const odd = Fault.make("SET", [], new RedisScript.Failure("no code at all"), true)
    assert.strictEqual(odd.message, "SET: ERR no code at all")
  })

  it("has no argument in it", () => {
    const message = of("NOPERM", "No permissions to access the 'key-of-mine' key", "key-of-mine").message
    assert.strictEqual(message, "SET: NOPERM No permissions to access the '...' key")
    assert.strictEqual(
      of("ERR", "unknown command 'X', with args beginning with: 'abc' ").message,
      "SET: ERR unknown command 'X'"
    )
  })

  it("has a code that is a word, and no argument in it", () => {
    const huge = Fault.make("GET", [], new RedisScript.Failure(`${"A".repeat(20_000_000)} x`), true)
    assert.isBelow(huge.message.length, 300)
    assert(huge.reason._tag === "CommandFailed")
    assert.strictEqual(huge.reason.code, "ERR")
    const echo = of("SECRETVALUE", "x", "SECRETVALUE")
    assert.strictEqual(echo.message, "SET: ERR x")
    // A program may well write the name of an error.
    assert.strictEqual(of("WRONGTYPE", "not so", "WRONGTYPE").message, "SET: WRONGTYPE not so")
  })

  it("paints nothing on a terminal, and forges no line", () => {
    const { message } = of("ERR", "a\x1b[2J\x85\u2028FORGED\u202e\u200b")
    assert.strictEqual(message, "SET: ERR a [2J  FORGED  ")
  })

  it("that is not the server's is that of the connection", () => {
    const error = Fault.make("GET", [], new Error("Connection is closed."), false)
    assert.strictEqual(
      error.message,
      "GET: the connection had ended before the command was sent: Connection is closed."
    )
    assert.isTrue(error.isRetryable)
  })
})

describe("the error of a dial", () => {
  it("has no argument in what the server answered, and all that the socket said", () => {
    const said = RedisScript.failure("ERR", "no such client name: me")
    assert.strictEqual(Fault.ofDial("a:1", said, true, ["SETNAME", "me"]).message, "a:1: ERR no such client na...: ...")
    const ended = new Error("the server closed the connection")
    assert.strictEqual(Fault.ofDial("a:1", ended, true, ["SETNAME", "e"]).message, `a:1: ${ended.message}`)
  })

  it("to where another server led can't paint by the name of the place", () => {
    assert.strictEqual(Fault.dialFailed("a\x1b[2J:1", "no", undefined, true).message, "a [2J:1: no")
  })

  it("has no password in its code", () => {
    const error = Fault.ofDial("a:1", RedisScript.failure("CANARYPW", "x"), true, ["user", "CANARYPW"])
    assert.notInclude(JSON.stringify(error), "CANARY")
    const part = Fault.ofDial("a:1", RedisScript.failure("ERR", "bad CANARYP, said ANARYPW"), true, ["CANARYPW"])
    assert.strictEqual(part.message, "a:1: ERR bad ..., said ...")
  })

  const isRetryable = (error: unknown, hasFreshCredentials = false) =>
    Fault.ofDial("a:1", error, hasFreshCredentials).isRetryable

  it("says whether it makes sense to dial again", () => {
    assert.isFalse(isRetryable(RedisScript.failure("WRONGPASS", "invalid username-password pair")))
    assert.isTrue(isRetryable(RedisScript.failure("WRONGPASS", "invalid username-password pair"), true))
    assert.isFalse(isRetryable(RedisScript.failure("ERR", "AUTH <password> called without any password configured")))
    assert.isFalse(isRetryable(RedisScript.failure("NOAUTH", "Authentication required.")))
    assert.isFalse(isRetryable(RedisScript.failure("ERR", "DB index is out of range")))
    assert.isTrue(isRetryable(RedisScript.failure("ERR", "max number of clients reached")))
    assert.isTrue(isRetryable(RedisScript.failure("LOADING", "Redis is loading the dataset in memory")))
    assert.isTrue(isRetryable(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })))
    assert.isFalse(isRetryable(Object.assign(new Error("self-signed"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" })))
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ServerUrl from "../src/ServerUrl.ts"

const schemes = ["db:", "dbs:"]

const refusal = (text: string): string => {
  const parsed = ServerUrl.parse(text, schemes)
  return Result.isFailure(parsed) ? parsed.failure : assert.fail("it was accepted")
}

describe("ServerUrl", () => {
  it("is read whatever parts it has", () => {
    for (const text of ["db://h", "DBS://u:p%23@h:1/path?a=b", "db://[::1]:65535", "db:///path", " db://h\n"]) {
      assert.isTrue(Result.isSuccess(ServerUrl.parse(text, schemes)), text)
    }
  })

  const wrong: ReadonlyArray<readonly [rule: RegExp, ...texts: ReadonlyArray<string>]> = [
    [/must begin with db:\/\/ or dbs:\/\/$/, "", "h", "h:1/path", "://h", "http://h", "http://h:99999"],
    [
      /port from 1 to 65535/,
      "db://h:x",
      "db://h:99999/path",
      "db://h:0",
      "db://u:p@h:-1",
      "db://[::1]:x",
      "db://h:1:2"
    ],
    [/must name a host/, "db://u@", "db://u:p@:1/path", "db://:1"],
    [/has a host with characters/, "db://h h", "db://u:p@<h>:1"],
    [/user and password percent-encoded, with %2F/, "db://u:p/w@h", "db://u:p?w@h:1", "db://u:p#w@h"],
    [/no fragment/, "db://h/path#x", "db://u:12#3@h"],
    [/NUL/, "db://u:\0@h"],
    [/NUL/, "db://u:a%00b@h"],
    [/NUL/, "db://h/%00"]
  ]
  for (const [rule, ...texts] of wrong) {
    for (const text of texts) {
      it(`${JSON.stringify(text)} is refused by its part`, () => assert.match(refusal(text), rule))
    }
  }

  it("its parts are decoded, or refused by name", () => {
    assert.deepStrictEqual(ServerUrl.decode("password", "p%2Fw"), Result.succeed("p/w"))
    for (const text of ["100%", "%zz", "%E0%A4%A"]) {
      assert.deepStrictEqual(
        ServerUrl.decode("password", text),
        Result.fail("must have its password percent-encoded, with %25 for a %")
      )
    }
  })

  it("its host is as sockets take it", () => {
    const hosts = { "db://[::1]:1": "::1", "db://h": "h", "db:///path": "", "db://%2Frun": "/run" }
    for (const [text, host] of Object.entries(hosts)) {
      assert.deepStrictEqual(ServerUrl.hostOf(new URL(text)), Result.succeed(host))
    }
  })
})

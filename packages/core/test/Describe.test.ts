import { Describe } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"

describe("Describe.at", () => {
  it("tells an address once", () => {
    const cases = [
      ["db:5432", "sorry, too many clients", "db:5432: sorry, too many clients"],
      ["127.0.0.1:1", "connect ECONNREFUSED 127.0.0.1:1", "127.0.0.1:1: connect ECONNREFUSED"],
      ["[::1]:1", "connect ECONNREFUSED ::1:1", "[::1]:1: connect ECONNREFUSED"],
      ["wss://chat.example:1", "connect ECONNREFUSED chat.example:1", "wss://chat.example:1: connect ECONNREFUSED"],
      ["db:1", "getaddrinfo ENOTFOUND db", "db:1: getaddrinfo ENOTFOUND"]
    ] as const
    for (const [address, said, told] of cases) assert.strictEqual(Describe.at(address, said), told)
  })

  it("keeps the address that a name was looked up to, and what only looks like the name", () => {
    assert.strictEqual(
      Describe.at("localhost:1", "connect ECONNREFUSED ::1:1"),
      "localhost:1: connect ECONNREFUSED ::1:1"
    )
    assert.strictEqual(Describe.at("db:1", "no such mydb"), "db:1: no such mydb")
    assert.strictEqual(Describe.at("", "it failed "), "it failed ")
  })
})

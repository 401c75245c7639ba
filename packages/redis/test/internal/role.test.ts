import { assert, describe, it } from "@effect/vitest"
import * as Role from "../../src/internal/role.ts"

const master = [Buffer.from("master"), 1, []]
const slave = (link: string) => [Buffer.from("slave"), Buffer.from("127.0.0.1"), 6379, Buffer.from(link), 1]

describe("the role of a server", () => {
  it("must be the one that the pool wants", () => {
    assert.isUndefined(Role.whyNot(master, "primary"))
    assert.include(Role.whyNot(master, "replica"), "the server is a primary")
    assert.include(Role.whyNot(slave("connected"), "primary"), "the server is a replica")
  })

  it("of a replica is of use only with a link to its primary", () => {
    assert.isUndefined(Role.whyNot(slave("connected"), "replica"))
    for (const link of ["connect", "connecting", "sync", "none"]) {
      assert.include(Role.whyNot(slave(link), "replica"), "link to its primary is down", link)
    }
  })

  it("is not doubted where the server does not tell", () => {
    assert.isUndefined(Role.whyNot(null, "primary"))
  })
})

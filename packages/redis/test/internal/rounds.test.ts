import { assert, describe, it } from "@effect/vitest"
import * as Rounds from "../../src/internal/rounds.ts"

const within = (command: string) => {
  const [name, ...args] = command.split(" ")
  return Rounds.within(name!, args, 30_000)?.join(" ")
}

describe("a wait for ever", () => {
  it("is one in rounds", () => {
    assert.strictEqual(within("BLPOP a b 0"), "a b 30")
    assert.strictEqual(within("BRPOPLPUSH a b 0"), "a b 30")
    assert.strictEqual(within("BLMOVE a b LEFT RIGHT 0"), "a b LEFT RIGHT 30")
    assert.strictEqual(within("BZPOPMIN a 0"), "a 30")
    assert.strictEqual(within("BLMPOP 0 1 a LEFT"), "30 1 a LEFT")
    assert.strictEqual(within("XREAD COUNT 1 block 0 STREAMS a 0-0"), "COUNT 1 block 30000 STREAMS a 0-0")
    assert.strictEqual(within("XREADGROUP GROUP g m BLOCK 0 STREAMS a >"), "GROUP g m BLOCK 30000 STREAMS a >")
  })

  it("stays as it is where it has a limit, is none, or would miss what comes between two rounds", () => {
    for (
      const command of [
        "BLPOP a 5",
        "BLPOP 0 1",
        "XREAD BLOCK 0 STREAMS a $",
        "XREAD BLOCK 0 STREAMS a b 0 +",
        "XREAD BLOCK 10 STREAMS a 0",
        "XREAD STREAMS BLOCK 0",
        "XADD a 0",
        "BITCOUNT a 0",
        "WAIT 1 0"
      ]
    ) assert.isUndefined(within(command), command)
  })
})

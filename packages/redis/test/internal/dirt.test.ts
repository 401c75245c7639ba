import { assert, it } from "@effect/vitest"
import * as Dirt from "../../src/internal/dirt.ts"

it("commands are known by what they leave behind", () => {
  assert.strictEqual(Dirt.of("GET", ["BLOCK"]), "none")
  assert.strictEqual(Dirt.of("BLPOP", ["a", "0"]), "blocks")
  assert.strictEqual(Dirt.of("XREAD", ["COUNT", "1", "block", "0", "STREAMS", "a", "0"]), "blocks")
  assert.strictEqual(Dirt.of("XREAD", ["STREAMS", "BLOCK", "0"]), "none")
  assert.strictEqual(Dirt.of("XREADGROUP", ["GROUP", "g", "c", "BLOCK", "0", "STREAMS", "a", ">"]), "blocks")
  assert.strictEqual(Dirt.of("CLIENT", ["id"]), "none")
  assert.strictEqual(Dirt.of("CLIENT", [Buffer.from("REPLY"), "OFF"]), "stains")
  assert.strictEqual(Dirt.of("CLIENT", []), "stains")
  assert.strictEqual(Dirt.blockLimit("BLPOP", ["a", "1.5"]), 1500)
  assert.strictEqual(Dirt.blockLimit("BLPOP", ["a", "0"]), Infinity)
  assert.strictEqual(Dirt.blockLimit("BLMPOP", [Buffer.from("2"), "1", "a", "LEFT"]), 2000)
  assert.strictEqual(Dirt.blockLimit("XREAD", ["COUNT", "1", "block", "250", "STREAMS", "a", "0"]), 250)
  assert.strictEqual(Dirt.blockLimit("WAIT", ["1", "300"]), 300)
  assert.strictEqual(Dirt.blockLimit("BLPOP", []), Infinity)
  assert.strictEqual(Dirt.of("SELECT", ["1"]), "selects")
})

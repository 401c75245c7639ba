import { assert, it } from "@effect/vitest"
import { slotOf } from "../../src/internal/slot.ts"

it("a key's slot is that of the server", () => {
  // As `CLUSTER KEYSLOT` answers.
  assert.strictEqual(slotOf("foo"), 12_182)
  assert.strictEqual(slotOf("123456789"), 12_739)
  assert.strictEqual(slotOf(Buffer.from("foo")), 12_182)
  assert.strictEqual(slotOf(""), 0)
})

it("what is in the first braces decides, if there is anything", () => {
  assert.strictEqual(slotOf("{user1000}.following"), slotOf("user1000"))
  assert.strictEqual(slotOf("foo{bar}{zap}"), slotOf("bar"))
  assert.strictEqual(slotOf("foo{{bar}}zap"), slotOf("{bar"))
  assert.notStrictEqual(slotOf("foo{}{bar}"), slotOf("bar"))
})

import { ByteChunks } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"

const mebibyte = 1_048_576

describe("chunks joined for now", () => {
  it("are what they are one after another, wherever they are cut", () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)
    for (const cuts of [[0, 1000], [0, 500, 1000], [0, 1, 2, 999, 1000], [0, 0, 300, 300, 1000]]) {
      const chunks = cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end))
      assert.deepStrictEqual(Uint8Array.from(ByteChunks.joinForNow(chunks)), bytes)
    }
    assert.strictEqual(ByteChunks.joinForNow([]).length, 0)
  })

  it("take no memory for one chunk, and the same again for several", () => {
    const chunk = Uint8Array.of(1, 2, 3)
    assert.strictEqual(ByteChunks.joinForNow([chunk]), chunk)
    const before = ByteChunks.joinForNow([chunk, chunk])
    assert.strictEqual(ByteChunks.joinForNow([Uint8Array.of(4), chunk, chunk]).buffer, before.buffer)
    assert.deepStrictEqual(Array.from(before), [4, 1, 2, 3, 1, 2])
  })

  it("are in memory of their own where they are longer than 1 MiB", () => {
    const half = new Uint8Array(mebibyte / 2).fill(7)
    const shared = ByteChunks.joinForNow([half, half])
    assert.strictEqual(shared.length, mebibyte)
    const own = ByteChunks.joinForNow([half, half, Uint8Array.of(9)])
    ByteChunks.joinForNow([Uint8Array.of(1), half])
    assert.strictEqual(own.length, mebibyte + 1)
    assert.strictEqual(own[0], 7)
    assert.strictEqual(own[mebibyte], 9)
  })
})

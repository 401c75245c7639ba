import { assert, describe, it } from "@effect/vitest"
import { Framer } from "../../../src/internal/wire/framer.ts"

const message = (type: string, body: string): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 0)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, Buffer.from(body)])
}

const framed = (stream: Buffer, size: number): { readonly passed: string; readonly refused: ReadonlyArray<number> } => {
  const passed: Array<Buffer> = []
  const refused: Array<number> = []
  const framer = new Framer(20, (bytes) => passed.push(Buffer.from(bytes)), (length) => refused.push(length))
  for (let at = 0; at < stream.length; at += size) framer.push(stream.subarray(at, at + size))
  return { passed: Buffer.concat(passed).toString("latin1"), refused }
}

describe("Framer", () => {
  const rows = [message("D", "short"), message("D", "x".repeat(30)), message("C", ""), message("d", "y".repeat(50))]
  const tail = [message("E", "an error may be as long as it wants"), message("Z", "I")]

  for (const size of [1, 2, 3, 5, 7, 36, 1000]) {
    it(`takes out the rows that are too long and nothing else, in chunks of ${size} bytes`, () => {
      const { passed, refused } = framed(Buffer.concat([...rows, ...tail]), size)
      assert.strictEqual(passed, Buffer.concat([rows[0]!, rows[2]!, ...tail]).toString("latin1"))
      assert.deepStrictEqual(refused, [34, 54])
    })
  }

  it("leaves a length that can't be to the parser", () => {
    const wrong = Buffer.concat([Buffer.from("D"), Buffer.from([0xff, 0xff, 0xff, 0xff])])
    assert.strictEqual(framed(wrong, 1000).passed, wrong.toString("latin1"))
  })

  it("hands on the chunk itself where nothing is taken out", () => {
    const chunk = Buffer.concat(tail)
    let seen: Uint8Array | undefined
    new Framer(20, (bytes) => seen = bytes, () => {}).push(chunk)
    assert.strictEqual(seen, chunk)
  })
})

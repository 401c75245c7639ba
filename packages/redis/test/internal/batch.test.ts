import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Writable } from "node:stream"
import { Batch } from "../../src/internal/batch.ts"
import { Request } from "../../src/internal/request.ts"

const make = () => {
  const writes: Array<string> = []
  const socket = new Writable({
    write: (chunk: Buffer, _, done) => {
      writes.push(chunk.toString("latin1"))
      done()
    }
  })
  return { writes, batch: new Batch(() => socket as never), socket }
}

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

it.effect("what is sent in one turn leaves in one write, in order", () =>
  Effect.gen(function*() {
    const { batch, writes } = make()
    batch.write("a")
    batch.write("b")
    batch.write(Buffer.from([0xff]))
    batch.write("c")
    assert.deepStrictEqual(writes, [])
    yield* turn
    assert.deepStrictEqual(writes, ["ab\u00ffc"])
    batch.write("d")
    yield* turn
    assert.deepStrictEqual(writes, ["ab\u00ffc", "d"])
  }))

it.effect("a long one is on its way before the turn ends", () =>
  Effect.gen(function*() {
    const { batch, writes } = make()
    for (let i = 0; i < 100; i++) batch.write("x".repeat(1000))
    assert.strictEqual(writes.length, 1)
    yield* turn
    assert.strictEqual(writes.join("").length, 100_000)
  }))

it("what is sent while it is held leaves when it is released, and the next by itself again", async () => {
  const { batch, writes } = make()
  batch.hold(5)
  batch.write("a")
  batch.write("b")
  await Promise.resolve()
  assert.deepStrictEqual(writes, [])
  batch.release()
  assert.deepStrictEqual(writes, ["ab"])
  batch.hold(5)
  batch.release()
  assert.strictEqual(batch.flushes, 1)
  batch.write("c")
  assert.deepStrictEqual(writes, ["ab"])
  await Promise.resolve()
  assert.deepStrictEqual(writes, ["ab", "c"])
})

it("while answers are read, half as many requests leave before the rest of them is made", () => {
  const { batch, writes } = make()
  batch.hold(5)
  for (const request of ["a", "b", "c", "d", "e"]) batch.write(request)
  assert.deepStrictEqual(writes, ["abc"])
  batch.release()
  assert.deepStrictEqual(writes, ["abc", "de"])
})

it("no request is answered by what came before it left", () => {
  const { batch } = make()
  const request = new Request("GET", ["a"], () => {})
  batch.hold(1)
  request.leaveWith(batch)
  assert.isFalse(request.isAnswerable)
  batch.release()
  assert.isFalse(request.isAnswerable)
  batch.hold(1)
  assert.isTrue(request.isAnswerable)
})

it.effect("what is released later leaves at the end of the turn, or is dropped if the socket closes before", () =>
  Effect.gen(function*() {
    const { batch, socket, writes } = make()
    batch.hold(9)
    batch.write("a")
    batch.releaseLater()
    batch.hold(9)
    batch.write("b")
    batch.releaseLater()
    assert.deepStrictEqual(writes, [])
    yield* turn
    assert.deepStrictEqual(writes, ["ab"])
    batch.hold(9)
    batch.write("c")
    batch.releaseLater()
    socket.destroy()
    yield* turn
    batch.write("d")
    yield* turn
    assert.deepStrictEqual(writes, ["ab"])
  }))

it.effect("what a closed socket does not take is dropped", () =>
  Effect.gen(function*() {
    const { batch, socket, writes } = make()
    batch.write("a")
    socket.destroy()
    yield* turn
    assert.deepStrictEqual(writes, [])
  }))

it("arguments are sent with their lengths in bytes", () => {
  const written = (...args: ReadonlyArray<string | Buffer>) => {
    const { batch, writes } = make()
    batch.hold(2)
    new Request("SET", args, () => {}).leaveWith(batch)
    batch.release()
    return Buffer.from(writes.join(""), "latin1")
  }
  assert.deepStrictEqual(written("é", ""), Buffer.from("*3\r\n$3\r\nSET\r\n$2\r\né\r\n$0\r\n\r\n"))
  assert.deepStrictEqual(
    written("a\r\nb", Buffer.from([0, 255]), "é"),
    Buffer.concat([
      Buffer.from("*4\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$2\r\n"),
      Buffer.from([0, 255]),
      Buffer.from("\r\n$2\r\né\r\n")
    ])
  )
})

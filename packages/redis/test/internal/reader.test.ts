import { assert, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import { Writable } from "node:stream"
import { Batch } from "../../src/internal/batch.ts"
import { attach } from "../../src/internal/reader.ts"
import { Request } from "../../src/internal/request.ts"
import { RequestQueue } from "../../src/internal/requestQueue.ts"
import { Subscriptions } from "../../src/internal/subscriptions.ts"

/** A connection on which each answer makes its caller ask for the next value at once. */
const make = (callers: number) => {
  const writes: Array<string> = []
  const socket = new Writable({
    write: (chunk: Buffer, _, done) => {
      writes.push(chunk.toString("latin1"))
      done()
    }
  })
  const stream = new EventEmitter()
  const batch = new Batch(() => socket)
  const unanswered = new RequestQueue()
  let asked = 0
  const ask = (): void => {
    const request = new Request("GET", [String(++asked)], () => ask())
    unanswered.push(request)
    request.leaveWith(batch)
  }
  const ended: Array<Error> = []
  attach({
    redis: { stream } as never,
    batch,
    unanswered,
    subscriptions: new Subscriptions(),
    destroy: (cause) => ended.push(cause)
  }, Infinity)
  for (let i = 0; i < callers; i++) ask()
  batch.release()
  writes.length = 0
  return { writes, ended, read: (chunk: string) => stream.emit("data", Buffer.from(chunk)) }
}

/** Cut as a socket reads it: 65536 bytes at a time. */
const chunksOf = (answers: number, size: number): ReadonlyArray<string> => {
  const all = `$${size}\r\n${"x".repeat(size)}\r\n`.repeat(answers)
  return Array.from({ length: Math.ceil(all.length / 65_536) }, (_, i) => all.slice(i * 65_536, (i + 1) * 65_536))
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const requests = (writes: ReadonlyArray<string>): number => writes.join("").split("GET").length - 1

it("what the callers of large answers ask for next leaves together, once the socket is read to its end", async () => {
  const { ended, read, writes } = make(40)
  const chunks = chunksOf(10, 100_000)
  for (const chunk of chunks.slice(0, -1)) read(chunk)
  assert.deepStrictEqual(writes, [])
  read(chunks.at(-1)!)
  assert.strictEqual(writes.length, 1)
  assert.strictEqual(requests(writes), 10)
  await turn()
  assert.strictEqual(writes.length, 1)
  assert.deepStrictEqual(ended, [])
})

it("half of them leave before the rest, which leaves at the end of the turn if the socket has no more", async () => {
  const { read, writes } = make(20)
  for (const chunk of chunksOf(15, 100_000).slice(0, -1)) read(chunk)
  assert.strictEqual(writes.length, 1)
  assert.strictEqual(requests(writes), 10)
  await turn()
  assert.strictEqual(writes.length, 2)
  assert.strictEqual(requests(writes), 14)
})

it("a lone caller of a large answer does not wait for the turn to end", () => {
  const { read, writes } = make(1)
  read(`$65524\r\n${"x".repeat(65_524)}\r\n`.padEnd(65_536))
  assert.strictEqual(requests(writes), 1)
})

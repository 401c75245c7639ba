import { WebSocketError } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Sender } from "../src/internal/sender.ts"
import type { Wire } from "../src/internal/wire.ts"

/** A sender over a network that takes what the test lets it take. */
const make = (sendBufferLimit: number) => {
  const written: Array<{ readonly size: number; readonly done: () => void }> = []
  const sent: Array<string> = []
  let buffered = 0
  const wire: Wire = {
    protocol: "",
    isOpen: () => true,
    buffered: () => buffered,
    bytesRead: () => 0,
    send: (frame, onWritten) => {
      sent.push(String(frame))
      buffered += frame.length
      written.push({ size: frame.length, done: onWritten })
    },
    gather: () => {},
    atEndOfTurn: (f) => f(),
    ping: () => {},
    pause: () => {},
    resume: () => {},
    close: () => {},
    terminate: () => {}
  }
  const ended = () => new WebSocketError.WebSocketError({ address: "", reason: closed })
  const sender = new Sender({
    hub: {
      counts: { sent: 0 },
      settings: { sendBufferLimit, sendPolicy: "wait", sendTimeout: 10_000 },
      now: () => 0
    },
    wire,
    refusal: () => undefined,
    fail: (reason) => Effect.fail(new WebSocketError.WebSocketError({ address: "", reason })),
    ended
  })
  /** The network takes the first of what waits. */
  const take = () => {
    const first = written.shift()!
    buffered -= first.size
    first.done()
  }
  return { sender, sent, take }
}

const closed = new WebSocketError.Closed({
  code: 1006,
  closeReason: "",
  lived: 0,
  delivery: "unknown",
  isRetryable: true
})

const settled = TestClock.adjust(0)

describe("what waits to be sent", () => {
  it.effect("small is let go when the large message before it is given up", () =>
    Effect.gen(function*() {
      const { sender, sent } = make(10)
      yield* Effect.forkChild(sender.send("12345"))
      yield* settled
      const large = yield* Effect.forkChild(sender.send("123456789"))
      yield* settled
      yield* Effect.forkChild(sender.send("small"))
      yield* settled
      assert.deepStrictEqual(sent, ["12345"], "each in its turn")
      yield* Fiber.interrupt(large)
      yield* settled
      assert.deepStrictEqual(sent, ["12345", "small"])
    }))

  it.effect("as requests never exceeds the limit when there is room again", () =>
    Effect.gen(function*() {
      const { sender, sent, take } = make(10)
      const request = (frame: string) =>
        Effect.andThen(
          sender.hasRoom(frame) ? Effect.void : sender.room(frame),
          Effect.sync(() => sender.post(frame, false))
        )
      yield* request("0123456789")
      for (const n of ["a", "b", "c"]) yield* Effect.forkChild(request(n.repeat(8)))
      yield* settled
      assert.strictEqual(sent.length, 1)
      take()
      yield* settled
      assert.strictEqual(sent.length, 2)
      take()
      yield* settled
      assert.strictEqual(sent.length, 3)
    }))
})

import { WebSocketError } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Sender } from "../src/internal/sender.ts"
import type { Wire } from "../src/internal/wire.ts"

/** A sender over a network that takes what the test lets it take. */
const make = (sendBufferLimit: number, underWay = 0) => {
  const written: Array<{ readonly size: number; readonly done: () => void }> = []
  const sent: Array<string> = []
  const atEnd: Array<() => void> = []
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
      return false
    },
    cork: () => void sent.push("cork"),
    uncork: () => void sent.push("uncork"),
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
      now: () => 0,
      turn: { atEnd: (f) => void atEnd.push(f) },
      underWay
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
  const endTurn = () => {
    for (const f of atEnd.splice(0)) f()
  }
  return { sender, sent, take, endTurn }
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
          Effect.sync(() => sender.post(frame))
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

describe("requests of one turn", () => {
  it("leave together at its end where others are under way", () => {
    const { endTurn, sender, sent } = make(100, 2)
    for (const frame of ["a", "b"]) sender.post(frame)
    assert.deepStrictEqual(sent, ["cork", "a", "b"])
    endTurn()
    sender.post("c")
    endTurn()
    assert.deepStrictEqual(sent, ["cork", "a", "b", "uncork", "cork", "c", "uncork"])
  })

  it("leave earlier where the next would have no room", () => {
    const { endTurn, sender, sent } = make(10, 2)
    sender.post("12345678")
    assert.isFalse(sender.hasRoom("90123"), "the network has not taken it yet")
    assert.deepStrictEqual(sent, ["cork", "12345678", "uncork"])
    endTurn()
    assert.deepStrictEqual(sent, ["cork", "12345678", "uncork"])
  })

  it("of one caller alone leave at once", () => {
    const { sender, sent } = make(100, 1)
    sender.post("a")
    assert.deepStrictEqual(sent, ["a"])
  })

  it.effect("are overtaken by no message, which waits until they have left", () =>
    Effect.gen(function*() {
      const { endTurn, sender, sent, take } = make(100, 2)
      sender.post("a")
      const message = yield* Effect.forkChild(sender.send("b"))
      yield* settled
      assert.deepStrictEqual(sent, ["cork", "a", "b"])
      take()
      take()
      yield* settled
      assert.isUndefined(message.pollUnsafe())
      endTurn()
      yield* Fiber.join(message)
    }))
})

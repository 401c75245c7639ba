import type { PoolEvent } from "@effect-pools/core"
import { WebSocketScript } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { noteOptions, Notes, quietly, settled } from "./support.ts"

/** A server that echoes, but for what asks for silence. */
const server = () => WebSocketScript.make((message) => String(message).includes("silence") ? [] : [message])

const ended = Effect.map(Notes.stats, ({ counts }) => counts.operations)

describe("operations", () => {
  it.effect("messages and requests are counted by how they ended, and timed", () =>
    Effect.gen(function*() {
      yield* Notes.send({ text: "hello" })
      yield* Notes.request({ text: "hello" })
      const asked = yield* Effect.forkChild(Effect.flip(Notes.request({ text: "silence" }, { timeout: "1 second" })))
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(asked)
      const left = yield* Effect.forkChild(Notes.request({ text: "silence" }))
      yield* settled
      yield* Fiber.interrupt(left)
      assert.deepStrictEqual(yield* ended, { success: 2, rejected: 0, failed: 1, interrupted: 1 })
      const { avgQueryTime, operations } = yield* Notes.stats
      assert.strictEqual(avgQueryTime, 250)
      assert.deepInclude(operations.slowest[0], { kind: "request", end: "failed", took: 1000 })
    }).pipe(quietly, Effect.provide(Notes.layerTest(server(), noteOptions))))

  it.effect("each is told to those who ask, by its type and never with what it says", () => {
    const schema = Schema.fromJsonString(
      Schema.Struct({ type: Schema.String, text: Schema.String, id: Schema.optionalKey(Schema.String) })
    )
    const message = { type: "said", text: "a secret" }
    return Effect.gen(function*() {
      const seen: Array<PoolEvent.Operated> = []
      yield* Effect.forkChild(
        Stream.runForEach(
          Notes.eventsWith({ leases: false, operations: true }),
          (event) => Effect.sync(() => void (event._tag === "Operated" && seen.push(event)))
        ),
        { startImmediately: true }
      )
      yield* Notes.send(message)
      yield* Notes.request(message)
      yield* settled
      assert.deepStrictEqual(seen.map(({ end, kind, text }) => [kind, end, text]), [
        ["send", "success", "said"],
        ["request", "success", "said"]
      ])
      assert.notInclude(JSON.stringify(seen), "secret")
    }).pipe(Effect.provide(Notes.layerTest(server(), { ...noteOptions, schema } as never)))
  })
})

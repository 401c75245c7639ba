import { WebSocketScript } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, FiberSet, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { Requests } from "../src/internal/requests.ts"
import { Turn } from "../src/internal/turn.ts"
import { Chat, eventually, reasonOf, settled, watch, withScript } from "./support.ts"

describe("a request without an id that was given up", () => {
  it.effect("does not leave its late reply to the next one of the same lease", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.messages)
        const asked = yield* Effect.forkChild(Chat.withConnection((connection) =>
          Effect.gen(function*() {
            const late = yield* reasonOf(connection.request("a", { timeout: "1 second" }))
            assert.strictEqual(late._tag, "RequestTimeout")
            return yield* Effect.all([connection.request("b"), connection.request("c")], { concurrency: 2 })
          })
        ))
        yield* settled
        yield* TestClock.adjust("1 second")
        for (const reply of ["re: a", "re: b", "re: c"]) server.push(reply)
        assert.deepStrictEqual(yield* Fiber.join(asked), ["re: b", "re: c"])
        yield* settled
        assert.deepStrictEqual(seen.map(({ message }) => message), ["re: a"])
      })
    )
  })

  it.effect("keeps its turn between those that still wait", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Chat.withConnection((connection) =>
          Effect.all([
            connection.request("a"),
            Effect.result(connection.request("b", { timeout: "1 second" })),
            Effect.result(connection.request("c", { timeout: "1 second" })),
            connection.request("d")
          ], { concurrency: 4 })
        ))
        yield* settled
        yield* TestClock.adjust("1 second")
        for (const { message } of Array.from(server.received)) server.push(`re: ${String(message)}`)
        const [a, , , d] = yield* Fiber.join(asked)
        assert.deepStrictEqual([a, d], ["re: a", "re: d"])
      })
    )
  })

  it.effect("by onOpen makes the dial fail, since nobody can tell whose the reply is", () =>
    withScript(
      () => undefined,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Effect.flip(Chat.request("a")))
        yield* settled
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(asked)
        assert.include(error.message, "onOpen gave up a request")
      }),
      { onOpen: (connection) => Effect.ignore(connection.request("hello", { timeout: "1 second" })) }
    ))

  it.effect("or outlives its lease costs the connection", () =>
    withScript(
      () => undefined,
      Effect.gen(function*() {
        yield* Chat.withConnection((connection) => Effect.andThen(Effect.forkChild(connection.request("a")), settled))
        assert.strictEqual((yield* Chat.stats).counts.retired.broken, 1)
      })
    ))

  it.effect("or outlives its lease is not answered by what its borrower had left unread before it asked", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Chat.withConnection((connection) =>
          Effect.gen(function*() {
            server.push("news")
            yield* settled
            const asked = yield* Effect.forkDetach(Effect.result(connection.request("a")), { startImmediately: true })
            yield* settled
            return asked
          })
        )
        yield* settled
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(asked))._tag, "Failure")
      })
    )
  })
})

describe("the requests under way", () => {
  it.effect("are counted on all connections, however they end", () =>
    Effect.gen(function*() {
      const hub = { clock: yield* Clock.Clock, underWay: 0 }
      const fork = yield* FiberSet.makeRuntime<never, void, never>()
      const of = () => new Requests<string>({ hub, fork, onTimeout: () => Effect.succeed("too late") })
      const [one, other] = [of(), of()]
      const add = (requests: Requests<string>, id?: string) => requests.add(id, 1000, () => {})
      const first = add(one, "1")
      const second = add(one)
      for (const id of ["2", "3", "4", undefined]) add(other, id)
      assert.strictEqual(hub.underWay, 6)
      one.answered("unknown")
      one.remove(first)
      one.remove(first)
      one.remove(second)
      assert.strictEqual(hub.underWay, 4)
      other.answered("2")
      other.answered(undefined)
      other.answered(undefined)
      assert.strictEqual(hub.underWay, 2)
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.strictEqual(hub.underWay, 0)
      add(other, "5")
      other.failAll(undefined as never)
      assert.strictEqual(hub.underWay, 0)
    }))
})

describe("the end of a turn", () => {
  it.live("comes once for all that asked, in their order, and again for those who ask then", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const turn = new Turn(yield* Scheduler.Scheduler)
      turn.atEnd(() => {
        seen.push("a")
        turn.atEnd(() => void seen.push("c"))
      })
      turn.atEnd(() => void seen.push("b"))
      assert.deepStrictEqual(seen, [])
      yield* eventually("all were called", Effect.sync(() => seen.length === 3))
      assert.deepStrictEqual(seen, ["a", "b", "c"])
    }))
})

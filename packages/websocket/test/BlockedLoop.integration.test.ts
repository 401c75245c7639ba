import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Server from "./fixtures/wsServer.ts"
import { barred, Chat, eventually, withChat } from "./support.ts"

const block = (millis: number): void => {
  const until = performance.now() + millis
  while (performance.now() < until) continue
}

/** The server runs in the same loop: what it has sent waits to be read when it blocks. */
describe("a program that blocks its event loop", () => {
  it.live("takes no pong for missing that it has not read yet", () =>
    Effect.gen(function*() {
      let pings = 0
      const server = yield* Server.make({
        onConnection: (socket) =>
          socket.on("ping", () => {
            pings++
            block(150)
          })
      })
      yield* withChat(
        { url: server.url, minConnections: 1, pingInterval: "100 millis", pongTimeout: "50 millis" },
        Effect.gen(function*() {
          yield* eventually("five pings were answered", Effect.sync(() => pings >= 5))
          const { counts } = yield* Chat.stats
          assert.deepStrictEqual([counts.opened, counts.retired.broken], [1, 0])
        })
      )
    }))

  it.live("takes no reply for late that it has not read yet", () =>
    Effect.gen(function*() {
      const server = yield* Server.make({
        onMessage: (message, socket) => {
          socket.send(message)
          block(300)
        }
      })
      yield* withChat(
        { url: server.url, minConnections: 1, requestTimeout: "100 millis", correlation: barred },
        Effect.gen(function*() {
          for (let round = 0; round < 3; round++) assert.include(String(yield* Chat.request("a")), "a")
        })
      )
    }))
})

import type { PoolEvent } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

/** Answers with the status that the path names. */
let silent = 0
const server = Servers.plain((request, response) => {
  if (request.url?.startsWith("/silent") === true) return void silent++
  response.statusCode = Number(request.url?.slice(1, 4))
  response.end("body")
})

const ended = Effect.map(Api.stats, ({ counts }) => counts.operations)

describe("operations", () => {
  it.live("a request that its caller got wrong is no illness of the pool, one that the server fails is", () =>
    Effect.gen(function*() {
      const { origin } = yield* server
      yield* withApi(
        { origin },
        Effect.gen(function*() {
          yield* Effect.forEach(["/200", "/204", "/404", "/409", "/401"], text)
          yield* eventually("all are told", Effect.map(ended, ({ rejected }) => rejected === 3))
          assert.deepStrictEqual(yield* ended, { success: 2, rejected: 3, failed: 0, interrupted: 0 })
          assert.deepInclude(yield* Api.health, { status: "healthy", errorRate: 0 })
          yield* Effect.forEach(["/500", "/503", "/429"], text)
          yield* eventually("all are told", Effect.map(ended, ({ failed }) => failed === 3))
          const health = yield* Api.health
          assert.strictEqual(health.errorRate, 3 / 8)
          assert.include(health.warnings.map(({ about }) => about), "operations")
        })
      )
    }))

  it.live("a time limit is the server's doing, an interruption is nobody's", () =>
    Effect.gen(function*() {
      const { origin } = yield* server
      yield* withApi(
        { origin, headersTimeout: "500 millis" },
        Effect.gen(function*() {
          yield* Effect.flip(text("/silent"))
          const left = yield* Effect.forkChild(text("/silent"))
          yield* eventually("the server has it", Effect.sync(() => silent === 2))
          yield* Fiber.interrupt(left)
          yield* eventually("both are told", Effect.map(ended, ({ failed, interrupted }) => failed + interrupted === 2))
          assert.deepStrictEqual(yield* ended, { success: 0, rejected: 0, failed: 1, interrupted: 1 })
        })
      )
    }))

  it.live("each is told to those who ask, with its status and without its query; health requests are not", () =>
    Effect.gen(function*() {
      const { origin } = yield* server
      yield* withApi(
        { origin, freshnessWindow: 0, healthRequest: { path: "/200" } },
        Effect.gen(function*() {
          const seen: Array<PoolEvent.Operated> = []
          yield* Effect.forkChild(
            Stream.runForEach(
              Api.eventsWith({ leases: false, operations: true }),
              (event) => Effect.sync(() => void (event._tag === "Operated" && seen.push(event)))
            ),
            { startImmediately: true }
          )
          yield* text("/200?token=secret")
          yield* text("/404")
          yield* eventually("both are told", Effect.sync(() => seen.length === 2))
          assert.deepStrictEqual(seen.map(({ end, kind, status, text }) => [kind, end, status, text]), [
            ["GET", "success", 200, "GET /200"],
            ["GET", "rejected", 404, "GET /404"]
          ])
          assert.isAbove((yield* Api.stats).avgQueryTime, 0)
        })
      )
    }))
})

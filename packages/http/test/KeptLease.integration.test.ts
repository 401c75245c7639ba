import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

/** The head comes with a piece of the body, and the rest never. */
const answer: Servers.Handler = (request, response) => {
  if (request.url === "/small") return void response.end("small")
  response.writeHead(200)
  response.write("a piece")
}

const protocols = {
  "HTTP/1": Effect.map(Servers.plain(answer), ({ origin }) => ({ origin })),
  "HTTP/2": Effect.map(Servers.h2(answer as never), ({ origin }) => ({ origin, tls: trusted }))
}

/** So many steps: more than a request takes to its head. */
const steps = Array.from({ length: 60 }, (_, step) => step)

describe.each(Object.entries(protocols))("a kept lease over %s", (_, server) => {
  it.live("ends whenever its caller is interrupted, also between the head and the caller's next step", () =>
    Effect.gen(function*() {
      const options = yield* server
      yield* withApi(
        { ...options, maxConnections: 4, bodyTimeout: "1 second" },
        Effect.gen(function*() {
          const interrupted = (step: number) =>
            Effect.gen(function*() {
              // It gives way after every few steps, so that an interruption finds it between any two.
              const request = yield* Effect.provideService(Api.get("/"), Scheduler.MaxOpsBeforeYield, 3).pipe(
                Effect.forkChild
              )
              for (let i = 0; i < step; i++) yield* Effect.yieldNow
              if (step % 2 === 0) yield* Effect.sleep(step / 4)
              yield* Fiber.interrupt(request)
            })
          yield* Effect.forEach(steps, interrupted, { concurrency: 8, discard: true })
          yield* eventually("no lease is left", Effect.map(Api.stats, ({ pending, used }) => used + pending === 0))
          const response = yield* Api.get("/small")
          assert.strictEqual(yield* response.text, "small")
        })
      )
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { Api, trusted, withApi } from "./support.ts"

const block = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until) continue
  })

const slowly: Servers.Handler = (request, response) => {
  if (request.url === "/head") return void setTimeout(() => response.end("ok"), 150)
  response.writeHead(200, { "content-length": 2 })
  response.write("o")
  setTimeout(() => response.end("k"), 150)
}

const servers = {
  "HTTP/1": Effect.map(Servers.plain(slowly), ({ origin }) => ({ origin })),
  "HTTP/2": Effect.map(Servers.h2(slowly as never), ({ origin }) => ({ origin, tls: trusted }))
}

describe("a program that blocks its event loop", () => {
  for (const [protocol, server] of Object.entries(servers)) {
    for (const path of ["/head", "/body"]) {
      it.live(`takes nothing for late over ${protocol} that it has not read yet: ${path}`, () =>
        Effect.gen(function*() {
          yield* withApi(
            { ...(yield* server), headersTimeout: "400 millis", bodyTimeout: "400 millis" },
            Effect.gen(function*() {
              // It has a connection.
              yield* Effect.flatMap(Api.get(path), ({ text }) => text)
              const asked = yield* Effect.forkChild(Effect.flatMap(Api.get(path), ({ text }) => text), {
                startImmediately: true
              })
              // The limit has begun, and the answer comes within it.
              yield* Effect.sleep(120)
              yield* block(900)
              assert.strictEqual(yield* Fiber.join(asked), "ok")
            })
          )
        }))
    }
  }
})

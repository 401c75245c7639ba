import { assert, describe, it } from "@effect/vitest"
import { DialError, PoolError } from "@effect-pools/core"
import type { HttpConfig } from "@effect-pools/http"
import { Cause, Effect, Exit, Layer, Redacted, Schedule, Stream } from "effect"
import { inspect } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type * as Tls from "node:tls"
import * as Servers from "./fixtures/servers.ts"
import { Api, trusted, withApi } from "./support.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Why a pool with these options can't start. */
const refusal = (options: HttpConfig.HttpOptions) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(
      Effect.scoped(Layer.build(Api.layer({ metrics: false, minConnections: 1, ...options })))
    )
    assert.isTrue(Exit.isFailure(exit))
    const error = Cause.squash((exit as Exit.Failure<unknown, PoolError.PoolError>).cause) as PoolError.PoolError
    assert.instanceOf(error.reason, PoolError.ConnectFailed)
    return (error.reason as PoolError.ConnectFailed).cause as DialError.DialError
  })

describe("TLS", () => {
  it.live("a certificate that nobody vouches for is refused at once", () =>
    Effect.gen(function*() {
      const server = yield* Servers.secure(Servers.json)
      const error = yield* refusal({ origin: server.origin })
      assert.instanceOf(error, DialError.DialError)
      assert.strictEqual(error.code, "DEPTH_ZERO_SELF_SIGNED_CERT")
      assert.isFalse(error.isRetryable)
      assert.strictEqual(server.accepted(), 1)
    }))

  it.live("a certificate of another host is refused", () =>
    Effect.gen(function*() {
      const server = yield* Servers.secure(Servers.json)
      const error = yield* refusal({ origin: `https://127.0.0.1:${server.port}`, tls: trusted })
      assert.strictEqual(error.code, "ERR_TLS_CERT_ALTNAME_INVALID")
      yield* withApi(
        { origin: `https://127.0.0.1:${server.port}`, tls: { ...trusted, servername: "localhost" } },
        Effect.map(Api.get("/"), (response) => assert.strictEqual(response.status, 200))
      )
    }))

  it.live("later connections resume the session of the first", () =>
    Effect.gen(function*() {
      const resumed: Array<boolean> = []
      const server = yield* Servers.secure((request, response) => {
        resumed.push((request.socket as Tls.TLSSocket).isSessionReused())
        response.setHeader("connection", "close")
        response.end("ok")
      })
      yield* withApi(
        { origin: server.origin, tls: trusted, maxConnections: 1 },
        Effect.gen(function*() {
          const request = Effect.flatMap(Api.get("/"), (response) => response.text)
          // Whatever holds the session weakly only loses it here.
          yield* Effect.repeat(Effect.andThen(request, Effect.sync(collectGarbage)), { times: 3 })
          assert.deepStrictEqual(resumed, [false, true, true, true])
        })
      )
    }))

  it.live("a refused connection is told with its address and may be tried again", () =>
    Effect.gen(function*() {
      const port = yield* Effect.scoped(Effect.map(Servers.plain(Servers.json), ({ port }) => port))
      const error = yield* refusal({
        origin: `http://127.0.0.1:${port}`,
        startupTimeout: "10 seconds",
        retry: Schedule.recurs(0)
      })
      assert.strictEqual(error.code, "ECONNREFUSED")
      assert.strictEqual(error.address, `127.0.0.1:${port}`)
      assert.strictEqual(error.message, `127.0.0.1:${port}: connect ECONNREFUSED`)
      assert.isTrue(error.isRetryable)
    }))
})

describe("secrets", () => {
  const canary = "canary-4711"

  it.live("no error, event or inspection shows a header's value", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((request, response) => {
        if (request.url === "/broken") request.socket.destroy()
        else response.end("ok")
      })
      yield* withApi(
        {
          origin: server.origin,
          headers: { "x-api-key": Redacted.make(canary), authorization: canary },
          credentials: Effect.succeed({ "x-token": Redacted.make(canary) })
        },
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          yield* Effect.forkScoped(Stream.runForEach(Api.events, (event) => Effect.sync(() => seen.push(event))))
          yield* Effect.yieldNow
          seen.push(yield* Effect.flip(Api.get("/broken")))
          seen.push(yield* Effect.flip(Api.get("http://elsewhere.invalid/")))
          const response = yield* Api.get("/")
          seen.push(response, yield* Api.connections, yield* Api.stats, yield* Api)
          yield* Api.withConnection((client) => Effect.sync(() => seen.push(client)))
          const shown = seen.map((value) =>
            inspect(value, { depth: 20, showHidden: true }) + String(value) + JSON.stringify(value)
          ).join("\n")
          assert.notInclude(shown, canary)
        })
      )
    }))

  it.live("an option of the wrong kind is refused without its value", () =>
    Effect.gen(function*() {
      const bad = { origin: `http://user:${canary}@127.0.0.1` }
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Api.layer(bad))))
      assert.isTrue(Exit.isFailure(exit))
      assert.notInclude(inspect(exit, { depth: 20 }), canary)
    }))
})

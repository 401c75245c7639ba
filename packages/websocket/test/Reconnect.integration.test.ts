import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Scope, Stream } from "effect"
import * as RawServer from "./fixtures/rawServer.ts"
import * as WsServer from "./fixtures/wsServer.ts"
import { Chat, eventually, quickRetry, quietly, withChat } from "./support.ts"

/** One message in so many fragments. */
const inFragments = (count: number): Buffer => {
  const parts = Array.from(
    { length: count },
    (_, index) => RawServer.frame(index === 0 ? 1 : 0, "a", { fin: index === count - 1 })
  )
  return Buffer.concat(parts)
}

describe("limits of this side's own", () => {
  it.live("a message in too many fragments ends its connection and not the pool", () =>
    Effect.gen(function*() {
      let opened = 0
      const server = yield* RawServer.make({
        onOpen: (socket) => {
          const answer = ++opened === 1 ? inFragments(20_000) : RawServer.frame(1, "all is well")
          socket.once("data", () => socket.write(answer))
        }
      })
      yield* withChat(
        { url: server.url, minConnections: 1, maxConnections: 1, stableAfter: 0, metrics: false },
        Effect.gen(function*() {
          const error = yield* Effect.flip(Chat.request("?"))
          assert.include(error.message, "1008 (Too many message fragments (maxFragments))")
          assert.strictEqual(yield* Chat.request("?"), "all is well")
        })
      )
      opened = 0
      yield* withChat(
        { url: server.url, maxFragments: 30_000, metrics: false },
        Effect.gen(function*() {
          assert.strictEqual(String(yield* Chat.request("?")).length, 20_000)
        })
      )
    }), 20_000)

  it.live("they are never taken for the server's verdict, whatever closeCodes says of the code", () =>
    Effect.gen(function*() {
      const wrongs: Readonly<Record<string, Buffer>> = {
        "too large": RawServer.frame(1, "x".repeat(2000)),
        "not UTF-8": RawServer.frame(1, Buffer.from([0xff, 0xff])),
        "a reserved bit": RawServer.frame(1, "a", { rsv1: true }),
        "masked": RawServer.frame(1, "a", { masked: true })
      }
      for (const [wrong, bytes] of Object.entries(wrongs)) {
        let opened = 0
        const server = yield* RawServer.make({
          onOpen: (socket) => {
            const answer = ++opened === 1 ? bytes : RawServer.frame(1, "all is well")
            socket.once("data", () => socket.write(answer))
          }
        })
        yield* withChat(
          {
            url: server.url,
            minConnections: 1,
            maxConnections: 1,
            maxPayload: 1000,
            stableAfter: 0,
            closeCodes: () => "never",
            metrics: false
          },
          Effect.gen(function*() {
            yield* Effect.flip(Chat.request("?"))
            assert.strictEqual(yield* Chat.request("?"), "all is well", wrong)
          })
        )
      }
    }))

  it.live("a small binary message that is kept keeps no more than itself", () =>
    Effect.gen(function*() {
      const one = RawServer.frame(2, Buffer.alloc(16, 7))
      const server = yield* RawServer.make({ onOpen: (socket) => socket.write(Buffer.concat(Array(1000).fill(one))) })
      yield* withChat(
        { url: server.url, minConnections: 1, inboundCapacity: 2000, metrics: false },
        Effect.gen(function*() {
          const kept = yield* Stream.runCollect(Stream.take(Chat.messages, 1000))
          const held = new Set(kept.map(({ message }) => (message as Uint8Array).buffer))
          let bytes = 0
          for (const { byteLength } of held) bytes += byteLength
          assert.strictEqual(bytes, 16 * 1000)
          assert.deepStrictEqual(Buffer.from(kept[999]?.message as Uint8Array), Buffer.alloc(16, 7))
        })
      )
    }))
})

describe("a server that says never", () => {
  it.live("has a pool whose health promises no dial", () =>
    Effect.gen(function*() {
      const server = yield* WsServer.make({ onConnection: (socket) => socket.close(1008, "go away") })
      yield* withChat(
        { url: server.url, minConnections: 1, startup: "lazy", retry: quickRetry, metrics: false },
        Effect.gen(function*() {
          yield* eventually(
            "it is unhealthy",
            Effect.map(Chat.health, ({ status }) => status === "unhealthy")
          )
          yield* Effect.sleep("1 second")
          const { warnings } = yield* Chat.health
          assert.notInclude(JSON.stringify(warnings), "by themselves")
          assert.include(warnings[0]?.message, "no connection is opened any more")
          assert.include(warnings[0]?.message, "1008 (go away)")
          assert.strictEqual(server.requests.length, 1)
        })
      )
    }))
})

/** So many pools of one connection each, and when each of them dials again after `end`. */
const redials = (
  count: number,
  end: (server: WsServer.WsServer) => void,
  options: { readonly reconnectDelay?: number }
): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function*() {
    const at: Array<number> = []
    let ended = Infinity
    const server = yield* WsServer.make({
      onConnection: () => {
        if (ended < Infinity) at.push(performance.now() - ended)
      }
    })
    const scope = yield* Scope.make()
    const layer = Chat.layer({
      url: server.url,
      minConnections: 1,
      maxConnections: 1,
      stableAfter: 0,
      drainTimeout: "200 millis",
      closeTimeout: "200 millis",
      metrics: false,
      ...options
    })
    yield* Effect.forEach(Array.from({ length: count }), () => Layer.buildWithScope(Layer.fresh(layer), scope), {
      concurrency: "unbounded"
    })
    yield* eventually("all are connected", Effect.sync(() => server.live() === count))
    ended = performance.now()
    end(server)
    yield* eventually("all are connected again", Effect.sync(() => at.length === count))
    yield* Scope.close(scope, Exit.void)
    return at.toSorted((a, b) => a - b)
  }).pipe(Effect.scoped, quietly, Effect.orDie)

describe("a server that restarts", () => {
  for (const code of [1001, 1011, 1012, 1006]) {
    it.live(`its clients come back one by one after ${code}`, () =>
      Effect.gen(function*() {
        const at = yield* redials(30, (server) => {
          for (const socket of server.sockets()) {
            if (code === 1006) socket.terminate()
            else socket.close(code, "restart")
          }
        }, { reconnectDelay: 1500 })
        const half = at.findIndex((millis) => millis > 750)
        assert.isTrue(half > 4 && half < 26, `${half} of 30 in the first half: ${at.map(Math.round).join(" ")}`)
      }), 20_000)
  }

  it.live("they wait for half of the delay at least when it says try again later", () =>
    Effect.gen(function*() {
      const at = yield* redials(10, (server) => server.sockets().forEach((socket) => socket.close(1013)), {
        reconnectDelay: 1500
      })
      assert.isAtLeast(at[0]!, 700)
    }), 20_000)

  it.live("they come back at once with reconnectDelay 0", () =>
    Effect.gen(function*() {
      const at = yield* redials(10, (server) => server.sockets().forEach((socket) => socket.close(1012)), {
        reconnectDelay: 0
      })
      assert.isBelow(at[9]!, 1000)
    }), 20_000)

  it.live("a refusal with Retry-After is heeded, as long as maxRetryAfter allows", () =>
    Effect.gen(function*() {
      for (
        const [maxRetryAfter, least, most] of [["1 minute", 1900, 6000], ["300 millis", 250, 1900], [
          0,
          0,
          500
        ]] as const
      ) {
        const at: Array<number> = []
        const server = yield* RawServer.make({
          answer: "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
          onOpen: () => void at.push(performance.now())
        })
        yield* withChat(
          {
            url: server.url,
            minConnections: 1,
            startup: "lazy",
            retry: Schedule.spaced("20 millis"),
            breaker: { failureRate: 1, minimumDials: 10_000 },
            maxRetryAfter,
            metrics: false
          },
          eventually("it is asked again", Effect.sync(() => at.length > 1))
        )
        const waited = at[1]! - at[0]!
        assert.isTrue(waited >= least && waited < most, `${String(maxRetryAfter)}: ${waited} ms`)
      }
    }), 30_000)
})

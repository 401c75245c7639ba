import { assert, describe, it } from "@effect/vitest"
import { TcpProxy } from "@effect-pools/testing"
import { Duration, Effect, Result, type Scope } from "effect"
import * as Net from "node:net"

/** A server that sends everything back. */
const echo: Effect.Effect<{ readonly host: string; readonly port: number }, never, Scope.Scope> = Effect.callback<
  Net.Server
>((resume) => {
  const server = Net.createServer((socket) => socket.on("error", () => {}).pipe(socket))
  server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
}).pipe(
  (open) => Effect.acquireRelease(open, (server) => Effect.sync(() => server.close())),
  Effect.map((server) => ({ host: "127.0.0.1", port: (server.address() as Net.AddressInfo).port }))
)

interface Client {
  readonly socket: Net.Socket
  readonly ask: (text: string) => Effect.Effect<string, string>
  readonly end: Effect.Effect<string>
}

const dial = (proxy: TcpProxy.TcpProxy): Effect.Effect<Client, string, Scope.Scope> =>
  Effect.callback<Client, string>((resume) => {
    const socket = Net.connect(proxy)
    let end: (how: string) => void = () => {}
    const ended = new Promise<string>((resolve) => void (end = resolve))
    socket.on("error", (error: NodeJS.ErrnoException) => {
      end(error.code ?? "error")
      resume(Effect.fail(error.code ?? "error"))
    })
    socket.on("end", () => end("FIN"))
    socket.setEncoding("utf8")
    const ask = (text: string) =>
      Effect.callback<string>((answer) => {
        socket.once("data", (data) => answer(Effect.succeed(String(data))))
        socket.write(text)
      }).pipe(Effect.timeoutOrElse({ duration: "200 millis", orElse: () => Effect.fail("silence") }))
    socket.on("connect", () => resume(Effect.succeed({ socket, ask, end: Effect.promise(() => ended) })))
  }).pipe((open) => Effect.acquireRelease(open, ({ socket }) => Effect.sync(() => socket.destroy())))

const start = Effect.flatMap(echo, TcpProxy.make)

const settled = Effect.sleep("30 millis")

describe("TcpProxy", () => {
  it.live("passes data through and counts connections", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const one = yield* dial(proxy)
      const two = yield* dial(proxy)
      assert.strictEqual(yield* one.ask("a"), "a")
      assert.strictEqual(yield* two.ask("b"), "b")
      assert.deepStrictEqual([yield* proxy.connections, yield* proxy.accepted], [2, 2])
      one.socket.end()
      assert.strictEqual(yield* one.end, "FIN")
      yield* settled
      assert.deepStrictEqual([yield* proxy.connections, yield* proxy.accepted], [1, 2])
    }))

  it.live("cut resets, fin ends in order", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const one = yield* dial(proxy)
      yield* one.ask("a")
      assert.strictEqual(yield* proxy.cut, 1)
      assert.strictEqual(yield* one.end, "ECONNRESET")
      const two = yield* dial(proxy)
      yield* two.ask("a")
      assert.strictEqual(yield* proxy.fin, 1)
      assert.strictEqual(yield* two.end, "FIN")
      yield* settled
      assert.strictEqual(yield* proxy.connections, 0)
    }))

  it.live("a black hole swallows both ways until it is closed", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const old = yield* dial(proxy)
      yield* old.ask("a")
      yield* proxy.blackhole(true)
      assert.strictEqual(yield* Effect.flip(old.ask("b")), "silence")
      const fresh = yield* dial(proxy)
      assert.strictEqual(yield* Effect.flip(fresh.ask("c")), "silence")
      yield* proxy.blackhole(false)
      yield* settled
      assert.strictEqual(yield* old.ask("d"), "d")
      assert.strictEqual(yield* fresh.ask("e"), "e")
    }))

  it.live("refuses new connections and keeps the old ones, on the same port afterwards", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const old = yield* dial(proxy)
      yield* proxy.refuse(true)
      assert.strictEqual(yield* Effect.flip(dial(proxy)), "ECONNREFUSED")
      assert.strictEqual(yield* old.ask("a"), "a")
      yield* proxy.refuse(false)
      assert.strictEqual(yield* (yield* dial(proxy)).ask("b"), "b")
    }))

  it.live("delays each piece, each way", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* client.ask("a")
      yield* proxy.delay("50 millis")
      const [took] = yield* Effect.timed(client.ask("b"))
      assert.isAtLeast(Duration.toMillis(took), 99)
    }))

  it.live("an upstream that refuses resets the client", () =>
    Effect.gen(function*() {
      const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: 1 })
      const client = yield* Effect.result(dial(proxy))
      if (Result.isSuccess(client)) assert.strictEqual(yield* client.success.end, "ECONNRESET")
    }))

  it.live("nothing listens once its scope is closed", () =>
    Effect.gen(function*() {
      const { client, proxy } = yield* Effect.scoped(Effect.gen(function*() {
        const proxy = yield* start
        return { proxy, client: yield* dial(proxy) }
      }))
      assert.isTrue(client.socket.destroyed)
      assert.strictEqual(yield* Effect.flip(dial(proxy)), "ECONNREFUSED")
    }))
})

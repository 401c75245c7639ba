import { assert, describe, it } from "@effect/vitest"
import { TcpProxy } from "@effect-pools/testing"
import { Cause, Duration, Effect, Random, Result, type Scope } from "effect"
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
  /** All that has come, piece by piece. */
  readonly heard: ReadonlyArray<string>
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
    const heard: Array<string> = []
    socket.on("data", (piece) => heard.push(String(piece)))
    const ask = (text: string) =>
      Effect.callback<string>((answer) => {
        socket.once("data", (data) => answer(Effect.succeed(String(data))))
        socket.write(text)
      }).pipe(Effect.timeoutOrElse({ duration: "200 millis", orElse: () => Effect.fail("silence") }))
    socket.on("connect", () => resume(Effect.succeed({ socket, ask, heard, end: Effect.promise(() => ended) })))
  }).pipe((open) => Effect.acquireRelease(open, ({ socket }) => Effect.sync(() => socket.destroy())))

const start = Effect.flatMap(echo, TcpProxy.make)

const eventually = (what: () => boolean): Effect.Effect<void> =>
  Effect.repeat(Effect.sleep("2 millis"), { until: what }).pipe(Effect.asVoid)

/** Chance that gives these numbers, then 0. */
const chances = (...numbers: Array<number>): Random.Random => ({
  nextDoubleUnsafe: () => numbers.shift() ?? 0,
  nextIntUnsafe: () => 0
})

const settled = Effect.sleep("30 millis")

/** Those of this process, those that wait to be closed included. */
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

describe("TcpProxy", () => {
  it.live("a reset right after an end leaves no socket behind", () =>
    Effect.gen(function*() {
      const before = sockets()
      yield* Effect.scoped(Effect.gen(function*() {
        const proxy = yield* start
        const client = yield* dial(proxy)
        assert.strictEqual(yield* client.ask("a"), "a")
        yield* Effect.andThen(proxy.fin, proxy.cut)
        yield* client.end
      }))
      yield* eventually(() => sockets() <= before)
    }))

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

  it.live("delays by chance, and keeps the order", () =>
    Effect.gen(function*() {
      const proxy = yield* start.pipe(Effect.provideService(Random.Random, chances(0.9, 0)))
      const client = yield* dial(proxy)
      yield* proxy.delay(0, "200 millis")
      const [took] = yield* Effect.timed(Effect.gen(function*() {
        client.socket.write("late,")
        yield* settled
        client.socket.write("soon")
        yield* eventually(() => client.heard.join("").length === 9)
      }))
      assert.strictEqual(client.heard.join(""), "late,soon")
      assert.isAtLeast(Duration.toMillis(took), 179)
    }))

  it.live("passes so many bytes a second on each connection, without gaps", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* proxy.throttle(10_000)
      const [took] = yield* Effect.timed(Effect.gen(function*() {
        client.socket.write("x".repeat(2_000))
        yield* eventually(() => client.heard.join("").length === 2_000)
      }))
      assert.isAtLeast(Duration.toMillis(took), 199)
      assert.isAtLeast(client.heard.length, 3)
      yield* proxy.throttle(undefined)
      client.socket.write("x".repeat(200_000))
      yield* eventually(() => client.heard.join("").length === 202_000)
    }))

  it.live("makes a sender wait who is faster than what passes", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* proxy.throttle(1_000)
      let sent = false
      client.socket.write(Buffer.alloc(32_000_000), () => void (sent = true))
      yield* Effect.sleep("300 millis")
      assert.isFalse(sent)
      yield* proxy.throttle(undefined)
      yield* eventually(() => sent)
    }))

  it.live("cuts what is written to pieces", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* proxy.slice(2)
      client.socket.write("hello")
      yield* eventually(() => client.heard.join("") === "hello")
      assert.deepStrictEqual(client.heard, ["he", "ll", "o"])
      yield* proxy.slice(undefined)
      assert.strictEqual(yield* client.ask("hello"), "hello")
    }))

  it.live("ends each connection after so many bytes of its answers", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const old = yield* dial(proxy)
      yield* old.ask("before")
      for (const [ending, seen] of [["fin", "FIN"], ["reset", "ECONNRESET"]] as const) {
        yield* proxy.cutAfter(5, ending)
        const client = yield* dial(proxy)
        assert.strictEqual(yield* client.ask("abc"), "abc")
        client.socket.write("defgh")
        assert.strictEqual(yield* client.end, seen)
        assert.strictEqual(client.heard.join(""), "abcde")
      }
      assert.strictEqual(yield* old.ask("hello!"), "hello")
      assert.strictEqual(yield* old.end, "ECONNRESET")
      yield* proxy.cutAfter(undefined)
      assert.strictEqual(yield* (yield* dial(proxy)).ask("hello!"), "hello!")
    }))

  it.live("ends a connection when its answer has passed, or before it begins", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      for (const [bytes, heard] of [[3, "abc"], [0, ""]] as const) {
        yield* proxy.cutAfter(bytes)
        const client = yield* dial(proxy)
        client.socket.write("abc")
        assert.strictEqual(yield* client.end, "ECONNRESET")
        assert.strictEqual(client.heard.join(""), heard)
      }
    }))

  it.live("passes an end on late, each way", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* client.ask("a")
      yield* proxy.slowClose("60 millis")
      client.socket.end()
      const [took, end] = yield* Effect.timed(client.end)
      assert.strictEqual(end, "FIN")
      assert.isAtLeast(Duration.toMillis(took), 119)
    }))

  it.live("goes down with all connections, and comes up on the same port", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const client = yield* dial(proxy)
      yield* client.ask("a")
      assert.strictEqual(yield* proxy.down, 1)
      assert.strictEqual(yield* client.end, "ECONNRESET")
      assert.strictEqual(yield* Effect.flip(dial(proxy)), "ECONNREFUSED")
      yield* proxy.up
      assert.strictEqual(yield* (yield* dial(proxy)).ask("b"), "b")
    }))

  it.live("a number that makes no sense is a defect that names it", () =>
    Effect.gen(function*() {
      const proxy = yield* start
      const wrong = [
        proxy.delay("-1 millis"),
        proxy.delay("Infinity"),
        proxy.delay(0, -1),
        proxy.throttle(0),
        proxy.slice(1.5),
        proxy.cutAfter(-1),
        proxy.slowClose(-1)
      ]
      const causes = yield* Effect.forEach(wrong, (fault) => Effect.flip(Effect.sandbox(fault)))
      assert.deepStrictEqual(causes.map((cause) => (Cause.squash(cause) as Error).message), [
        "TcpProxy.delay must be a finite duration of at least 0, got -1 ms",
        "TcpProxy.delay must be a finite duration of at least 0, got Infinity ms",
        "TcpProxy.delay's jitter must be a finite duration of at least 0, got -1 ms",
        "TcpProxy.throttle must be an integer of at least 1, got 0",
        "TcpProxy.slice must be an integer of at least 1, got 1.5",
        "TcpProxy.cutAfter must be an integer of at least 0, got -1",
        "TcpProxy.slowClose must be a finite duration of at least 0, got -1 ms"
      ])
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

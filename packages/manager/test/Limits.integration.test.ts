import { Monitoring } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { connect, type Socket } from "node:net"
import { ask, bearer, Db, isolated, managed, monitored, pools } from "./support.ts"

const world = (options: Monitoring.ServerOptions = {}) =>
  monitored(options).pipe(Layer.provideMerge(managed(pools().layer)), Layer.provideMerge(isolated))

interface Wire {
  readonly socket: Socket
  readonly received: () => string
  readonly ended: Effect.Effect<void>
}

/** A client that says only what it is told to. */
const wire = Effect.gen(function*() {
  const port = Number(new URL((yield* Monitoring.Address).url).port)
  return yield* Effect.acquireRelease(
    Effect.callback<Wire>((resume) => {
      let received = ""
      const socket = connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.on("data", (data) => {
        if (received.length < 10_000) received += String(data)
      })
      const ended = Effect.callback<void>((resume) => {
        if (socket.closed) return resume(Effect.void)
        socket.once("close", () => resume(Effect.void))
      })
      socket.once("connect", () => resume(Effect.succeed({ socket, received: () => received, ended })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )
})

/** Writes a large body bit by bit for as long as the server takes it, and tells how much that was. */
const flood = ({ socket }: Wire, chunk: Buffer, bytes: number) =>
  Effect.callback<number>((resume) => {
    let written = 0
    const done = (): void => resume(Effect.succeed(written))
    const next = (): void => {
      while (written < bytes && !socket.destroyed) {
        written += chunk.length
        if (!socket.write(chunk)) return void socket.once("drain", next)
      }
      done()
    }
    socket.once("close", done)
    next()
  }).pipe(Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.succeed(-1) }))

const head = (method: string, path: string, ...headers: ReadonlyArray<string>): string =>
  [`${method} ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n")

const pause = "/pools/app%2FDb/pause"
const authorized = `Authorization: ${bearer.authorization}`
const megabyte = Buffer.alloc(1024 * 1024, 0x20)

describe("limits of the server", () => {
  it.live("a body of 100 MB is refused with 413 before it is read", () =>
    Effect.gen(function*() {
      const before = process.memoryUsage().rss
      const client = yield* wire
      client.socket.write(head("POST", pause, authorized, `Content-Length: ${100 * 1024 * 1024}`))
      yield* flood(client, megabyte, 100 * 1024 * 1024)
      yield* client.ended
      assert.match(client.received(), /^HTTP\/1\.1 413 /)
      assert.include(client.received(), "body-too-large")
      assert.strictEqual((yield* Db.stats).state, "open")
      assert.isBelow(process.memoryUsage().rss - before, 80 * 1024 * 1024)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.live("so is one that does not tell its length", () =>
    Effect.gen(function*() {
      const client = yield* wire
      client.socket.write(head("POST", pause, authorized, "Transfer-Encoding: chunked"))
      const chunk = Buffer.concat([Buffer.from("100000\r\n"), megabyte, Buffer.from("\r\n")])
      yield* flood(client, chunk, 100 * 1024 * 1024)
      yield* client.ended
      assert.match(client.received(), /^HTTP\/1\.1 413 /)
      assert.strictEqual((yield* Db.stats).state, "open")
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.live("so is one that nobody would have read", () =>
    Effect.gen(function*() {
      const client = yield* wire
      client.socket.write(head("GET", "/health", `Content-Length: ${100 * 1024 * 1024}`))
      yield* flood(client, megabyte, 100 * 1024 * 1024)
      yield* client.ended
      assert.match(client.received(), /^HTTP\/1\.1 413 /)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.live("a header without end is refused with 431", () =>
    Effect.gen(function*() {
      const client = yield* wire
      client.socket.write(head("GET", "/health", `X-Long: ${"x".repeat(1024 * 1024)}`))
      yield* client.ended
      assert.match(client.received(), /^HTTP\/1\.1 431 /)
      assert.strictEqual((yield* ask("health")).status, 200)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.live("200 clients that never finish their headers are cut, and /health answers meanwhile", () =>
    Effect.gen(function*() {
      const clients = yield* Effect.forEach(Array.from({ length: 200 }), () => wire, { concurrency: 20 })
      for (const { socket } of clients) socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
      yield* Effect.forkScoped(Effect.forever(Effect.delay(
        Effect.sync(() => {
          for (const { socket } of clients) if (socket.writable) socket.write("a")
        }),
        "200 millis"
      )))
      assert.strictEqual((yield* ask("health")).status, 200)
      yield* Effect.forEach(clients, ({ ended }) => ended, { concurrency: "unbounded", discard: true })
      assert.isTrue(clients.every(({ received }) => received() === "" || received().startsWith("HTTP/1.1 408 ")))
      assert.strictEqual((yield* ask("health")).status, 200)
    }).pipe(Effect.scoped, Effect.provide(world({ headersTimeout: "1 second" }))))

  it.live("a client that says nothing at all is cut as well", () =>
    Effect.gen(function*() {
      yield* (yield* wire).ended
    }).pipe(Effect.scoped, Effect.provide(world({ headersTimeout: "500 millis" }))))

  it.live("a body that does not come is given up after requestTimeout", () =>
    Effect.gen(function*() {
      const client = yield* wire
      client.socket.write(`${head("POST", pause, authorized, "Content-Length: 10")}{`)
      yield* client.ended
      assert.notInclude(client.received(), "HTTP/1.1 200")
      assert.strictEqual((yield* Db.stats).state, "open")
    }).pipe(Effect.scoped, Effect.provide(world({ headersTimeout: "500 millis", requestTimeout: "1 second" }))))

  it.live("no more sockets than maxSockets are kept", () =>
    Effect.gen(function*() {
      const first = yield* wire
      const second = yield* wire
      first.socket.write(head("GET", "/live"))
      second.socket.write(head("GET", "/live"))
      yield* second.ended
      assert.strictEqual(second.received(), "")
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => first.received().includes("true") })
    }).pipe(Effect.scoped, Effect.provide(world({ maxSockets: 1 }))))
})

import { ConnectionPool, type Connector } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, References } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import { Worker } from "node:worker_threads"

/** A server in a thread of its own, so that it answers whatever blocks the loop of the test: each byte after 30 ms. */
const server = Effect.acquireRelease(
  Effect.promise(async () => {
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads")
      const server = require("node:net").createServer((socket) => {
        socket.on("error", () => {})
        socket.on("data", (data) => setTimeout(() => socket.write(data), 30))
      })
      server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port))`,
      { eval: true }
    )
    const [port] = await once(worker, "message")
    return { worker, port: port as number }
  }),
  ({ worker }) => Effect.promise(() => worker.terminate())
)

/** A round trip. What the answer says is known some turns of the loop after it was read, as where a protocol has layers. */
const ask = (socket: Net.Socket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    socket.once("data", () => setTimeout(() => resume(Effect.void), 5))
    socket.write("?")
  })

/** Its login is a round trip, and so is its validation. */
const connectorTo = (port: number): Connector.Connector<Net.Socket> => ({
  connect: () =>
    Effect.gen(function*() {
      const socket = Net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      yield* ask(socket)
      return socket
    }),
  validate: ask,
  reset: () => undefined
})

const block = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until) continue
  })

const pooled = <A, E>(
  options: ConnectionPool.MakeOptions,
  test: (pool: ConnectionPool.ConnectionPool<Net.Socket>) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const { port } = yield* server
    return yield* test(yield* ConnectionPool.make(connectorTo(port), { minConnections: 0, metrics: false, ...options }))
  }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

const limits = {
  acquireTimeout: "300 millis",
  validateTimeout: "200 millis",
  connectTimeout: "200 millis",
  slowAcquireTimeout: "100 millis",
  drainTimeout: "100 millis"
} as const

describe("ConnectionPool: a blocked event loop", () => {
  it.live("costs no connection whose answer has arrived meanwhile, and no caller", () =>
    pooled({ ...limits, freshnessWindow: 0 }, (pool) =>
      Effect.gen(function*() {
        yield* pool.warmUp(2)
        const caller = yield* Effect.forkChild(Effect.exit(pool.withConnection(() => Effect.void)))
        yield* Effect.sleep(10)
        yield* block(1000)
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(caller)))
        const { counts } = yield* pool.stats
        assert.deepStrictEqual([counts.failedToValidate, counts.timedOut, counts.opened], [0, 0, 2])
      })))

  it.live("fails no dial that was answered meanwhile, and no caller", () =>
    pooled({ ...limits, maxConnections: 1 }, (pool) =>
      Effect.gen(function*() {
        const caller = yield* Effect.forkChild(Effect.exit(pool.withConnection(() => Effect.void)))
        yield* Effect.sleep(10)
        yield* block(1000)
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(caller)))
        const { counts } = yield* pool.stats
        assert.deepStrictEqual([counts.failedToOpen, counts.timedOut, counts.opened], [0, 0, 1])
      })))

  it.live("holds a limit up for as long as it was blocked at most", () =>
    pooled({ ...limits, maxConnections: 1 }, (pool) =>
      Effect.gen(function*() {
        yield* Effect.forkChild(pool.withConnection(() => Effect.never))
        yield* Effect.sleep(100)
        const startedAt = performance.now()
        const caller = yield* Effect.forkChild(Effect.exit(pool.withConnection(() => Effect.void)))
        yield* Effect.sleep(10)
        yield* block(500)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(caller)))
        assert.isBelow(performance.now() - startedAt, 900)
      })))
})

describe("thousands at once", () => {
  const thousands = 3_000

  /** The most by which a number grows in one turn of the event loop, until what is watched is over. */
  const mostInATurn = <A, E>(count: () => number, watched: Effect.Effect<A, E>): Effect.Effect<number, E> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(watched, { startImmediately: true })
      let most = 0
      for (let before = count(); fiber.pollUnsafe() === undefined; before = count()) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        most = Math.max(most, count() - before)
      }
      yield* Fiber.join(fiber)
      return most
    })

  it.live("let timers and sockets have their turn, however many dials, proofs and ends are wanted", () =>
    Effect.gen(function*() {
      let dials = 0
      let proofs = 0
      let ends = 0
      const connect = Effect.acquireRelease(
        Effect.sync(() => ({ number: dials++ })),
        () => Effect.sync(() => void ends++)
      )
      const connector: Connector.Connector<object> = {
        connect: () => connect,
        validate: () => Effect.andThen(Effect.sync(() => proofs++), Effect.sleep(1)),
        reset: () => undefined
      }
      const pool = yield* ConnectionPool.make(connector, {
        minConnections: 0,
        maxConnections: thousands,
        connectRate: 100_000,
        pendingLimit: 100_000,
        freshnessWindow: 0,
        idleTimeout: "1 hour",
        healthCheck: "1 hour",
        metrics: false
      })
      const most = 600
      assert.isAtMost(yield* mostInATurn(() => dials, pool.warmUp(thousands)), most)
      const leases = Effect.forEach(
        Array.from({ length: thousands }),
        () => pool.withConnection(() => Effect.sleep(5)),
        { concurrency: "unbounded", discard: true }
      )
      assert.isAtMost(yield* mostInATurn(() => proofs, leases), most)
      const haveEnded = Effect.repeat(Effect.sleep(1), { until: () => ends === thousands })
      const allEnd = Effect.andThen(pool.retireAll, haveEnded)
      assert.isAtMost(yield* mostInATurn(() => ends, allEnd), most)
      assert.deepStrictEqual([dials, ends], [thousands, thousands])
      assert.isAtLeast(proofs, thousands)
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
})

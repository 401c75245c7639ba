import { TcpProxy } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Result, Scope } from "effect"
import type { RateLimiter } from "effect/persistence"
import { Backend, priceOf, rate } from "../external-grpc/Backend.ts"
import * as Balanced from "../external-grpc/Backends.ts"
import * as PriceServer from "../external-grpc/server.ts"
import { allMeetTheBreaker, eventually, isBreakerOpen, limits, quick, run } from "./external-support.ts"

type Parts = { readonly log: PriceServer.Log; readonly proxy: TcpProxy.TcpProxy }

/** Runs a test with a server, a proxy in front of it and a pool, of which nothing may be left. */
const withBackend = <A, E>(
  test: (parts: Parts) => Effect.Effect<A, E, Backend | RateLimiter.RateLimiter | Scope.Scope>,
  options: Parameters<typeof Backend.to>[1] = {}
) =>
  Effect.gen(function*() {
    const server = yield* PriceServer.make
    const proxy = yield* TcpProxy.make(server)
    const scope = yield* Scope.make()
    const backend = Backend.to(`127.0.0.1:${proxy.port}`, { ...quick, ...options })
    const context = yield* Layer.buildWithScope(Layer.merge(backend, limits), scope)
    const exit = yield* Effect.exit(Effect.provideContext(Effect.scoped(test({ log: server.log, proxy })), context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Backend).stats
    assert.strictEqual(counts.opened - counts.closed, 0)
    yield* eventually("no connection is left", Effect.map(proxy.connections, (n) => n === 0))
    return yield* exit
  }).pipe(Effect.scoped)

const apple = priceOf("apple", "5 seconds")

describe("external-grpc", () => {
  it.live("calls share a few channels, each with a connection of its own", () =>
    withBackend(({ proxy }) =>
      Effect.gen(function*() {
        const cents = yield* Effect.all(Array.from({ length: 50 }, () => apple), { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(cents), new Set([35]))
        assert.strictEqual((yield* Backend.stats).counts.opened, 3)
        assert.strictEqual(yield* proxy.connections, 3)
      })
    ))

  it.live("a status says whether to ask again, and does not cost the channel", () =>
    withBackend(({ log }) =>
      Effect.gen(function*() {
        assert.include(yield* Effect.flip(priceOf("stone")), { status: "NOT_FOUND", isRetryable: false })
        const late = yield* Effect.flip(priceOf("plum", "300 millis"))
        assert.include(late, { status: "DEADLINE_EXCEEDED", isRetryable: true })
        yield* eventually("the server has stopped too", Effect.sync(() => log.thinking === 0))
        yield* apple
        assert.strictEqual((yield* Backend.stats).counts.opened, 1)
      }), { maxConnections: 1 }))

  it.live("the deadline covers the wait for a channel", () =>
    withBackend(({ log }) =>
      Effect.gen(function*() {
        const busy = yield* Effect.forkScoped(priceOf("plum", "1 minute"), { startImmediately: true })
        yield* eventually("the only channel is taken", Effect.sync(() => log.thinking === 1))
        assert.include(yield* Effect.flip(priceOf("apple", "100 millis")), { status: "DEADLINE_EXCEEDED" })
        assert.strictEqual(log.quotes, 1)
        yield* Fiber.interrupt(busy)
        yield* eventually("the server has stopped too", Effect.sync(() => log.thinking === 0))
        yield* apple
        assert.strictEqual((yield* Backend.stats).counts.opened, 1)
      }), { maxConnections: 1 }))

  it.live("calls beyond the rate fail at once and do not reach the server", () =>
    withBackend(({ log }) =>
      Effect.gen(function*() {
        const calls = Array.from({ length: rate.limit + 20 }, () => Effect.result(apple))
        const results = yield* Effect.all(calls, { concurrency: "unbounded" })
        const refused = results.filter((result) => Result.isFailure(result))
        assert.strictEqual(refused.length, 20)
        for (const { failure } of refused) assert.include(failure, { status: "RESOURCE_EXHAUSTED", isRetryable: true })
        assert.strictEqual(log.quotes, rate.limit)
      })
    ))

  it.live("a service that does not serve is left alone by the open breaker, and found again", () =>
    withBackend(({ log, proxy }) =>
      Effect.gen(function*() {
        yield* apple
        log.isServing = false
        yield* proxy.cut
        yield* eventually("the breaker is open", Effect.map(Effect.flip(apple), isBreakerOpen))
        const { checks } = log
        assert.isTrue(yield* allMeetTheBreaker(Backend.withConnection(() => Effect.void)))
        assert.strictEqual(log.checks, checks)
        log.isServing = true
        yield* eventually("the pool has found it", Effect.map(Backend.stats, ({ idle }) => idle === 1))
        yield* apple
      }), { freshnessWindow: 0 }))

  it.live("a server that is killed and comes back is found again without traffic", () =>
    withBackend(({ proxy }) =>
      Effect.gen(function*() {
        yield* apple
        yield* proxy.down
        yield* eventually("the breaker is open", Effect.map(Effect.flip(apple), isBreakerOpen))
        // The library's own last dial comes a moment later.
        yield* Effect.sleep("200 millis")
        yield* proxy.up
        yield* eventually("the pool has found it", Effect.map(Backend.stats, ({ idle }) => idle === 1))
        yield* apple
      })
    ))

  it.live("a channel that has lost its connection is replaced, and does not dial by itself", () =>
    withBackend(({ proxy }) =>
      Effect.gen(function*() {
        yield* apple
        const before = yield* proxy.accepted
        yield* proxy.fin
        yield* eventually("it is gone", Effect.map(proxy.connections, (n) => n === 0))
        yield* apple
        assert.strictEqual((yield* Backend.stats).counts.opened, 2)
        assert.strictEqual(yield* proxy.accepted, before + 1)
      }), { maxConnections: 1, freshnessWindow: 0 }))

  it.live("of two hosts behind one pool one may go away, and no caller meets it", () =>
    Effect.gen(function*() {
      const servers = [yield* PriceServer.make, yield* PriceServer.make]
      const proxies = yield* Effect.forEach(servers, TcpProxy.make)
      const quotes = () => servers.map(({ log }) => log.quotes)
      yield* Effect.gen(function*() {
        const price = Balanced.priceOf("apple", "5 seconds")
        yield* Effect.all(Array.from({ length: 20 }, () => price), { concurrency: 4 })
        const before = quotes()
        assert.isAbove(Math.min(...before), 0)
        yield* Effect.andThen(proxies[0]!.refuse(true), proxies[0]!.fin)
        yield* eventually("it is gone", Effect.map(proxies[0]!.connections, (n) => n === 0))
        yield* Effect.all(Array.from({ length: 20 }, () => price), { concurrency: 4 })
        const after = quotes()
        assert.deepStrictEqual([after[0]! - before[0]!, after[1]! - before[1]!], [0, 20])
        yield* Effect.andThen(proxies[0]!.refuse(false), Effect.forkScoped(Effect.forever(Effect.delay(price, 50))))
        yield* eventually("it is used again", Effect.sync(() => servers[0]!.log.quotes > after[0]!))
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(
          Balanced.Backends.to(proxies.map(({ port }) => `127.0.0.1:${port}`), { ...quick, freshnessWindow: 0 }),
          limits
        ))
      )
    }).pipe(Effect.scoped))

  it.live("the program ends by itself", () =>
    Effect.gen(function*() {
      const output = yield* run("external-grpc")
      assert.include(output, "50 answers over 4 channels")
      assert.include(output, "0 left open")
    }))
})

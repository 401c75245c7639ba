/**
 * A pool of gRPC channels, each with an HTTP/2 connection of its own: calls with one deadline for the wait and the
 * work, statuses that say whether to ask again, a limit to how often one asks. Then the server goes away and comes back;
 * and of two servers behind one pool one goes away, which no caller needs to know.
 *
 * node --conditions=@effect-pools/source examples/external-grpc/main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import type { PoolConfig } from "@effect-pools/core"
import { TcpProxy } from "@effect-pools/testing"
import { Console, Effect, Layer, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { Backend, priceOf } from "./Backend.ts"
import * as Balanced from "./Backends.ts"
import * as PriceServer from "./server.ts"

/** Asks, and tells what came of it. */
const ask = (item: string, within?: "200 millis") =>
  Effect.matchEffect(priceOf(item, within), {
    onSuccess: (cents) => Effect.as(Console.log(`${item}: ${cents} cents`), undefined),
    onFailure: (error) =>
      Effect.as(
        Console.log(`${item}: ${error.message} (${error.isRetryable ? "ask again" : "do not ask again"})`),
        error
      )
  })

const calls = Effect.gen(function*() {
  const all = yield* Effect.forEach(Array.from({ length: 50 }), () => priceOf("apple"), { concurrency: "unbounded" })
  const { counts } = yield* Backend.stats
  yield* Console.log(`${all.length} answers over ${counts.opened} channels`)
  yield* ask("apple")
  yield* ask("stone")
  yield* ask("plum", "200 millis")
})

const outage = Effect.fnUntraced(function*(proxy: TcpProxy.TcpProxy) {
  yield* proxy.down
  yield* Console.log("-- the server is gone")
  yield* Effect.repeat(ask("apple"), {
    until: (error) => error?._tag === "PoolError" && error.reason._tag === "BreakerOpen"
  })
  yield* proxy.up
  yield* Console.log("-- the server is back")
  yield* Effect.retry(priceOf("apple"), { schedule: Schedule.spaced("100 millis"), times: 100 })
  yield* ask("apple")
})

const limits: PoolConfig.PoolOptions = {
  maxConnections: 4,
  retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 2 })),
  breaker: { minimumDials: 3, openDuration: "500 millis" }
}

const twoHosts = Effect.gen(function*() {
  const servers = [yield* PriceServer.make, yield* PriceServer.make]
  const proxies = yield* Effect.forEach(servers, TcpProxy.make)
  const quotes = Effect.gen(function*() {
    const before = servers.map(({ log }) => log.quotes)
    yield* Effect.all(Array.from({ length: 20 }, () => Balanced.priceOf("apple")), { concurrency: 4 })
    yield* Console.log(`20 answers, by host: ${servers.map(({ log }, i) => log.quotes - before[i]!).join(" and ")}`)
  })
  yield* Effect.gen(function*() {
    yield* quotes
    yield* Effect.andThen(proxies[0]!.refuse(true), proxies[0]!.fin)
    yield* Console.log("-- one of two hosts is gone")
    yield* quotes
  }).pipe(Effect.provide(Balanced.Backends.to(proxies.map(({ port }) => `127.0.0.1:${port}`), limits)))
})

const oneHost = Effect.gen(function*() {
  const server = yield* PriceServer.make
  const proxy = yield* TcpProxy.make(server)
  yield* Effect.gen(function*() {
    yield* calls
    yield* outage(proxy)
    yield* Backend.drain
    const { counts } = yield* Backend.stats
    yield* Console.log(`drained: ${counts.opened} channels opened, ${counts.opened - counts.closed} left open`)
  }).pipe(Effect.provide(Backend.to(`127.0.0.1:${proxy.port}`, limits)))
})

const program = Effect.andThen(oneHost, twoHosts).pipe(
  Effect.scoped,
  Effect.provide(Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory))
)

NodeRuntime.runMain(program)

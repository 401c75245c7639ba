/** The pool of channels to one host, and the one call that the program makes. */
import { type ConnectionPool, type PoolConfig, ResourcePool } from "@effect-pools/core"
import { status } from "@grpc/grpc-js"
import { Clock, Duration, Effect } from "effect"
import { RateLimiter } from "effect/persistence"
import { callError, Channel } from "./Channel.ts"
import { quote } from "./prices.ts"

const lost = callError(status.UNAVAILABLE, "the connection is lost")

export const options = (address: string, pool: PoolConfig.PoolOptions = {}) => ({
  ...pool,
  acquire: Channel.open(address),
  validate: (channel: Channel) => channel.isBroken ? Effect.fail(lost) : channel.health,
  // HTTP/2 keeps calls apart: one that was cancelled leaves nothing behind.
  reset: () => undefined,
  isBroken: (channel: Channel) => channel.isBroken,
  inspect: () => ({ tags: { address } })
})

export class Backend extends ResourcePool.Service<Backend, Channel>()("app/Backend") {
  static readonly to = (address: string, pool?: PoolConfig.PoolOptions) => this.layer(options(address, pool))
}

/** What we agreed to ask at most; beyond it the caller is told at once. */
export const rate = { key: "prices", limit: 100, window: "1 second", onExceeded: "fail" } as const

/** One time limit for all of it: the wait for a channel, the way there, the server's work and the way back. */
export const priceFrom = <Self, Id extends string>(pool: ConnectionPool.PoolClass<Self, Id, Channel>) =>
  Effect.fnUntraced(function*(item: string, within: Duration.Input = "1 second") {
    const limiter = yield* RateLimiter.RateLimiter
    yield* Effect.mapError(limiter.consume(rate), ({ message }) => callError(status.RESOURCE_EXHAUSTED, message))
    const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(within)
    const { cents } = yield* pool.withConnection((channel) => channel.call(quote, { item }, deadline)).pipe(
      Effect.timeoutOrElse({
        duration: within,
        orElse: () => Effect.fail(callError(status.DEADLINE_EXCEEDED, "no channel was free in time"))
      })
    )
    return cents
  })

export const priceOf = priceFrom(Backend)

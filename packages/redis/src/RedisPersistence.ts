/**
 * The stores of `effect/persistence` over a Redis pool.
 *
 * `RateLimiter`, `CircuitBreaker`, `PersistedQueue` and `Persistence` ask for the service `Redis`, which every pool's
 * `layer` provides:
 *
 * ```ts
 * import { RedisPool } from "@effect-pools/redis"
 * import { Layer } from "effect"
 * import { CircuitBreaker, RateLimiter } from "effect/persistence"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
 *
 * const Shared = Layer.mergeAll(
 *   CircuitBreaker.layerStoreRedis(),
 *   RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreRedis()))
 * ).pipe(Layer.provideMerge(Cache.layer({ host: "localhost" })))
 * ```
 *
 * **In a cluster** the keys of one script or command must belong to one slot. `PersistedQueue`, the token bucket of
 * `RateLimiter` and `Persistence` use several at once: give their stores a prefix with a hash tag, such as `"{jobs}:"`, or
 * the queue a name with one. Without it they fail, and an `offer` to a queue that nobody could take from is refused.
 *
 * @since 0.1.0
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import { extend } from "@effect-pools/core/PoolService"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { LentConnection } from "./internal/lent.ts"
import * as PersistedQueues from "./internal/persistedQueue.ts"
import { refusal } from "./internal/send.ts"
import type { Inbox } from "./internal/inbox.ts"
import { make as makeStore } from "./internal/keyValueStore.ts"
import { operations } from "./internal/members.ts"
import type { RedisPool } from "./internal/model.ts"
import { subscriberOf } from "./internal/subscribe.ts"
import type { RedisConnection } from "./RedisConnector.ts"
import type { RedisError } from "./RedisError.ts"
import type { Element } from "./RedisSubscription.ts"

/**
 * Makes the `Redis` of `effect/persistence` over a pool.
 *
 * - `send` shares a connection with others, unless the command blocks or leaves something behind: then it has one to
 *   itself while it runs.
 * - `eval` sends a script's digest, and its text only where the server does not know it.
 * - `reserve` is a lease for the scope: it counts within `maxConnections`, and there is no pool within the pool.
 * - `subscribe` shares the one connection of all subscriptions. It survives its loss; what was published meanwhile is
 *   missing without a word, where `RedisPool.subscribe` would tell of a gap.
 *
 * An error's `cause` is the `RedisError` or `PoolError` of this library.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (pool: ConnectionPool<RedisConnection>): Redis.Redis["Service"] => {
  return {
    ...connection(redisOf(pool), Effect.suspend(() => pool.withShared((lent) => Effect.succeed(isSpread(lent))))),
    reserve: Effect.mapBoth(pool.acquireWith({ label: "Redis.reserve", isLongLived: true }), {
      onFailure: toRedisError,
      onSuccess: (lent) => connection(lent, Effect.succeed(isSpread(lent)))
    }),
    subscribe: (channel) => subscribe(pool, channel)
  }
}

/**
 * `make` as a layer over a pool's class. The class's own `layer` includes it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self>(
  service: Context.Key<Self, ConnectionPool<RedisConnection>>
): Layer.Layer<Redis.Redis, never, Self> => Layer.effect(Redis.Redis, Effect.map(service, make))

/**
 * @category models
 * @since 0.1.0
 */
export interface KeyValueStoreOptions {
  /** The beginning of all of its keys, not empty, since `clear` removes whatever begins so: `"sessions:"`. */
  readonly prefix: string
}

/**
 * Makes a `KeyValueStore` over a pool. Values are stored as they are, so that other programs can read them.
 *
 * `size`, `keys` and `clear` step through the keys of the database without blocking it, which takes its time where there
 * are many of other prefixes. `modify` is a read and a write, and not one step.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeKeyValueStore = (
  pool: ConnectionPool<RedisConnection>,
  options: KeyValueStoreOptions
): Effect.Effect<KeyValueStore.KeyValueStore, PoolError> => makeStore(pool.name, redisOf(pool), options)

/**
 * `makeKeyValueStore` as a layer over a pool's class.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerKeyValueStore = <Self>(
  service: Context.Key<Self, ConnectionPool<RedisConnection>>,
  options: KeyValueStoreOptions
): Layer.Layer<KeyValueStore.KeyValueStore, PoolError, Self> =>
  Layer.effect(KeyValueStore.KeyValueStore, Effect.flatMap(service, (pool) => makeKeyValueStore(pool, options)))

/** The pool with all commands, whoever made it. */
const redisOf = (pool: ConnectionPool<RedisConnection>): RedisPool =>
  extend<RedisConnection, RedisPool>(pool, operations)

const toRedisError = (cause: RedisError | PoolError): Redis.RedisError => new Redis.RedisError({ cause })

type Commander = Pick<RedisPool, "command" | "script"> | Pick<RedisConnection, "command" | "script">

/** Whether it leads to a cluster. A test's double does not. */
const isSpread = (lent: RedisConnection): boolean => lent instanceof LentConnection && lent.session.options.isSpread

const connection = (redis: Commander, isCluster: Effect.Effect<boolean, PoolError>): Redis.Connection => ({
  // The type that the caller says the answer has is taken on trust, as the service has it.
  send: <A>(command: string, ...args: ReadonlyArray<string>) => {
    const sent: Effect.Effect<unknown, RedisError | PoolError> = redis.command(command, ...args)
    const guarded = PersistedQueues.isLost(command, args)
      ? Effect.flatMap(isCluster, (yes) => yes ? Effect.fail(refusal(command, PersistedQueues.rule)) : sent)
      : sent
    return Effect.mapError(guarded, toRedisError) as Effect.Effect<A, Redis.RedisError>
  },
  eval: (script) => (...params) =>
    Effect.suspend(() => {
      const all = script.params(...params).map(String)
      const count = script.numberOfKeys(...params)
      return redis.script(script.lua, { keys: all.slice(0, count), args: all.slice(count) })
    }).pipe(Effect.mapError(toRedisError)) as Effect.Effect<never, Redis.RedisError>
})

/** How many messages wait for a slow reader, beyond the few in its queue. */
const bufferSize = 1024
const bufferBytes = 16 * 1024 * 1024

const subscribe = (
  pool: ConnectionPool<RedisConnection>,
  channel: string
): Effect.Effect<Queue.Dequeue<Redis.RedisMessage, Redis.RedisError>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const queue = yield* Effect.acquireRelease(Queue.bounded<Redis.RedisMessage, Redis.RedisError>(16), Queue.shutdown)
    const inbox = yield* subscriberOf(pool).join([{ kind: "channel", name: channel }], bufferSize, bufferBytes)
    const begun = yield* Effect.exit(inbox.take)
    // Not waited for: nobody reads the queue before it is given, and more may have come by now than it holds.
    if (Exit.isSuccess(begun)) yield* Effect.forkScoped(fail(queue, passAll(inbox, queue, begun.value)))
    else yield* fail(queue, begun)
    return queue
  })

type Sink = Queue.Queue<Redis.RedisMessage, Redis.RedisError>

const passAll = (inbox: Inbox, queue: Sink, first: ReadonlyArray<Element>) =>
  Effect.andThen(
    pass(queue, first),
    Effect.forever(Effect.flatMap(inbox.take, (elements) => pass(queue, elements)))
  )

const pass = (queue: Sink, elements: ReadonlyArray<Element>) =>
  Queue.offerAll(
    queue,
    elements.filter((element) => element._tag === "Message").map(({ channel, message }) => ({ channel, message }))
  )

const fail = (
  queue: Sink,
  effect: Effect.Effect<unknown, RedisError | PoolError>
): Effect.Effect<unknown> =>
  Effect.catchCause(Effect.mapError(effect, toRedisError), (cause) => Queue.failCause(queue, cause))

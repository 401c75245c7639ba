/**
 * The members of a Redis pool: types alone.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Stream from "effect/Stream"
import type { Methods } from "../RedisCommands.ts"
import type { RedisConnection, Runner } from "./connectionModel.ts"
import type { RedisError } from "../RedisError.ts"
import type { Element, SubscribeOptions } from "../RedisSubscription.ts"

/**
 * The members of a Redis pool beyond lending: every command, and subscriptions. `Env` is what a member asks for:
 * nothing on a pool, the class on a class.
 *
 * A command takes a connection for itself. Those that leave nothing behind share one with others and leave in one write
 * with what they send at the same moment; those that block or change the connection have one to themselves.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisMembers<out Env = never> extends Methods<RedisError | PoolError, Env>, Runner<PoolError, Env> {
  /**
   * Messages published on channels, for as long as the stream is read. A lost connection is replaced, and the gap it
   * leaves is an element of the stream: see `RedisSubscription`.
   *
   * All subscriptions of a pool share one connection, which counts within `maxConnections`, as long as there is any.
   */
  readonly subscribe: (
    channels: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Env>
  /** The same for all channels that match glob-style patterns. */
  readonly psubscribe: (
    patterns: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Env>
  /** The same for sharded channels, which a cluster serves from one node each (`SPUBLISH`). From Redis 7 on. */
  readonly ssubscribe: (
    channels: string | ReadonlyArray<string>,
    options?: SubscribeOptions
  ) => Stream.Stream<Element, PoolError | RedisError, Env>
}

/**
 * A pool of connections to Redis: the members of every pool, and those of `RedisMembers`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisPool extends ConnectionPool<RedisConnection>, RedisMembers {}

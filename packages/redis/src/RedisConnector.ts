/**
 * How the pool opens, checks, cleans and gives up a Redis connection.
 *
 * Most programs use `RedisPool` and never meet it.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as RedisConnectors from "./internal/connector.ts"
import * as Options from "./internal/options.ts"
import type { Session } from "./internal/session.ts"
import type { RedisOptions } from "./RedisConfig.ts"
import type { RedisConnection } from "./internal/connectionModel.ts"

export type {
  CommandList,
  RedisConnection,
  Results,
  Runner,
  ScanOptions,
  ScriptArgs
} from "./internal/connectionModel.ts"

/**
 * A connection as the pool holds it.
 *
 * @category models
 * @since 0.1.0
 */
export type RedisSession = Session

/**
 * Makes a connector, for a pool that one builds oneself with `ConnectionPool.make`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: RedisOptions
): Effect.Effect<Connector<RedisSession, RedisConnection>, InvalidOption> => {
  const name = options.name ?? "redis"
  return Effect.map(
    Effect.fromResult(Options.check(options, name)),
    ({ settings }) => RedisConnectors.make(name, settings)
  )
}

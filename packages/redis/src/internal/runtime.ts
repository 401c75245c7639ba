/**
 * A pool together with what only a Redis pool has.
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { kind, type RedisOptions } from "../RedisConfig.ts"
import type { RedisConnection } from "./connectionModel.ts"
import * as RedisConnectors from "./connector.ts"
import { openFrom } from "./line.ts"
import * as Options from "./options.ts"
import type { Pool } from "./pool.ts"
import * as Subscribe from "./subscribe.ts"
import * as Subscriber from "./subscriber.ts"

export const make = (
  id: string,
  options: RedisOptions
): Effect.Effect<Pool, PoolError | InvalidOption, Scope.Scope> =>
  Effect.flatMap(
    Effect.fromResult(Options.check(options, id)),
    ({ pool, settings }) => makeWith(RedisConnectors.make(pool.name ?? id, settings), pool)
  )

/** Makes the pool over another connector, such as a scripted one. */
export const makeWith = <Session>(
  connector: Connector<Session, RedisConnection>,
  options: PoolOptions
): Effect.Effect<Pool, PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    const bare = yield* ConnectionPool.make(connector, { ...options, kind })
    const subscriber = yield* Subscriber.make(bare.config, openFrom(bare))
    // Subscribers would keep their connection as long as they are let.
    return Subscribe.subscribers.attach(yield* PoolService.onEnd(bare, subscriber.end), subscriber)
  })

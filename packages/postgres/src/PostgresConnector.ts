/**
 * How the pool opens, checks, cleans and gives up a PostgreSQL connection.
 *
 * It is the native protocol of `@effect/sql-pg`: pipelined writes, a cache of prepared statements, cancellation on the
 * server. Most programs use `PostgresPool` and never meet it.
 *
 * @since 0.1.0
 */
import type { Connector } from "@effect-pools/core/Connector"
import { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import { makeLendingClients } from "./internal/connector.ts"
import * as Kit from "./internal/kit.ts"
import * as Options from "./internal/options.ts"
import type { Session } from "./internal/session.ts"
import type { PostgresOptions } from "./PostgresConfig.ts"
import type { PostgresConnection } from "./internal/connectionModel.ts"

export type { PostgresConnection } from "./internal/connectionModel.ts"

/**
 * A session with the server, as the pool holds it.
 *
 * @category models
 * @since 0.1.0
 */
export type PostgresSession = Session

/**
 * Makes a connector, for a pool that one builds oneself with `ConnectionPool.make`. It has no `sharing`, which needs the
 * watch over statements that `PostgresPool` keeps.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: PostgresOptions
): Effect.fn.Return<Connector<PostgresSession, PostgresConnection>, InvalidOption, Reactivity.Reactivity> {
  if (options.sharing !== undefined) {
    return yield* new InvalidOption({ option: "sharing", rule: "has an effect in a PostgresPool only" })
  }
  const name = options.name ?? "postgres"
  const { settings } = yield* Options.checkWithUser(options, name)
  const kit = yield* Kit.make(name, settings, options)
  return makeLendingClients(kit)
})

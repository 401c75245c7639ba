/**
 * A pool together with what only an HTTP pool has: requests.
 */
import * as BalancedPool from "@effect-pools/core/BalancedPool"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as PoolContext from "@effect-pools/core/PoolContext"
import { type InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import { type Attachment, keepers, makeAttachment } from "@effect-pools/core/PoolService"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type { HttpClient } from "effect/http/HttpClient"
import type * as Scope from "effect/Scope"
import { type HttpOptions, kind } from "../HttpConfig.ts"
import type { HttpConnection } from "./connectionModel.ts"
import * as Client from "./client.ts"
import * as Connector from "./connector.ts"
import type * as Dial from "./dial.ts"
import type { Exchange } from "./exchange.ts"
import { isOurs } from "./faults.ts"
import * as Environment from "./environment.ts"
import * as Options from "./options.ts"
import { Prepare } from "./prepare.ts"
import * as RetryAfter from "./retryAfter.ts"
import type { ConnectionSettings } from "./settings.ts"
import * as Unread from "./unread.ts"
import { Watch } from "./watch.ts"

export type Pool = ConnectionPool.ConnectionPool<HttpConnection>

export interface Runtime {
  readonly prepare: Prepare
  readonly execute: Client.Execute
  readonly client: HttpClient
}

/** The rest of a pool that is made here, or of a copy of it. */
export const runtimes: Attachment<Runtime> = makeAttachment<Runtime>("@effect-pools/http/Runtime")

/** `dialer` makes the dial: over the network, or of a script. */
export const make = Effect.fnUntraced(function*(
  id: string,
  options: HttpOptions,
  dialer?: typeof Dial.make
): Effect.fn.Return<Pool, PoolError, Scope.Scope> {
  const name = options.name ?? id
  const failed = (reason: InvalidOption): PoolError => new PoolError({ pool: name, reason })
  const { balance, members } = yield* Effect.mapError(
    Effect.flatMap(Environment.withProxy(options), (options) => Effect.fromResult(Options.check(options, id))),
    failed
  )
  const pools = yield* Effect.forEach(members, (member) => poolOf(member, dialer))
  const first = members[0]!
  const origins = members.map(({ settings }) => settings.origin)
  return balance === undefined
    ? sending(pools[0]!, first.settings, origins)
    : sending(
      yield* BalancedPool.make(
        pools.map((pool, index) => ({ pool, weight: members[index]!.weight })),
        { ...balance, name, ...(balance.outlierEjection === false ? {} : { classify }) }
      ),
      first.settings,
      origins
    )
})

const sending = (pool: Pool, settings: ConnectionSettings, origins: ReadonlyArray<string>): Pool => {
  const prepare = new Prepare(settings, origins)
  const keeper = keepers.ofPristine(pool)
  const send = keeper === undefined ? Client.holding((f) => pool.withShared(f)) : Client.keeping(keeper)
  return runtimes.attach(pool, {
    prepare,
    execute: Client.overPool(prepare, send),
    client: Client.plainOverPool(prepare, send)
  })
}

/** The engine's pool of one origin. */
const poolOf = (
  member: Options.Member,
  dialer: typeof Dial.make | undefined
): Effect.Effect<Pool, PoolError, Scope.Scope> => {
  const made = makePool(member, dialer)
  return member.pool.unref === true ? Effect.updateContext(made, PoolContext.unrefed<Scope.Scope>) : made
}

const makePool = Effect.fnUntraced(function*(
  { pool: options, settings }: Options.Member,
  dialer: typeof Dial.make | undefined
): Effect.fn.Return<Pool, PoolError, Scope.Scope> {
  const run = yield* FiberSet.makeRuntime<never, unknown, never>()
  const limit = settings.maxRetryAfter
  let heed: ((exchange: Exchange) => Effect.Effect<void>) | undefined
  const onAsked = limit === 0 ? undefined : (exchange: Exchange): void => {
    if (heed !== undefined) run(heed(exchange))
  }
  const watch = yield* Watch.make(settings)
  const connector = yield* Connector.make(options.name, settings, watch, onAsked, dialer)
  const pool = yield* Unread.make(yield* ConnectionPool.make(connector, { ...options, kind }), watch)
  if (limit === 0) return pool
  const heedful = RetryAfter.make(pool, limit)
  heed = heedful.heed
  return heedful.pool
})

/** The verdict on an upstream at the end of a request: one that was given up says nothing. */
const classify: BalancedPool.Classify = (exit: Exit.Exit<unknown, unknown>) =>
  exit._tag === "Success"
    ? "success"
    : Cause.hasInterrupts(exit.cause) || isOurs(Cause.squash(exit.cause))
    ? "ignore"
    : "failure"

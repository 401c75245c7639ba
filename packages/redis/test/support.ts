import type { PoolError } from "@effect-pools/core/PoolError"
import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { type RedisConfig, RedisPool } from "@effect-pools/redis"
import { assert } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { PoolMisuse } from "@effect-pools/core/PoolError"
import * as FakeServer from "./fixtures/fakeServer.ts"

export { eventually } from "@effect-pools/testing/Eventually"

/** The pool of the tests. */
export class Cache extends RedisPool.Service<Cache>()("app/Cache") {}

/** Runs a test with a pool of its own on the suite's server, and checks that nothing is left of it afterwards. */
export const withCache = <A, E, R>(
  options: RedisConfig.RedisOptions,
  test: Effect.Effect<A, E, R | Cache>
): Effect.Effect<A, E | PoolError, Exclude<R, Cache> | EmbeddedRedis.EmbeddedRedis> =>
  Effect.gen(function*() {
    const server = yield* EmbeddedRedis.EmbeddedRedis
    const scope = yield* Scope.make()
    const isNamed = [options.url, options.host, options.cluster, options.sentinel].some((given) => given !== undefined)
    const layer = Cache.layerPoolOnly({ drainTimeout: "1 second", ...(isNamed ? {} : { url: server.url }), ...options })
    const context = yield* Layer.buildWithScope(layer, scope)
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Cache).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }) as Effect.Effect<A, E | PoolError, Exclude<R, Cache> | EmbeddedRedis.EmbeddedRedis>

/** Runs a test with a pool on a server that answers politely, but for the commands that the test gives answers to. */
export const onFakeServer = <A, E, R>(
  answers: Readonly<Record<string, FakeServer.Answer>>,
  test: (server: FakeServer.FakeServer) => Effect.Effect<A, E, R>,
  options: RedisConfig.RedisOptions = {}
) =>
  Effect.gen(function*() {
    const server = yield* FakeServer.make((command) => answers[command] ?? FakeServer.polite(command))
    const layer = Cache.layerPoolOnly({
      host: "127.0.0.1",
      port: server.port,
      minConnections: 0,
      maxConnections: 1,
      retry: Schedule.spaced("20 millis"),
      ...options
    })
    return yield* Effect.provide(test(server), layer)
  }).pipe(Effect.scoped)

/** The rule of the misuse that an effect died of. */
export const misuseOf = <A, E>(exit: Exit.Exit<A, E>): string | undefined => {
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return defect instanceof PoolMisuse ? defect.rule : undefined
}

import * as Eventually from "@effect-pools/testing/Eventually"
import type { PoolError } from "@effect-pools/core/PoolError"
import { type HttpConfig, HttpPool } from "@effect-pools/http"
import { certificate } from "@effect-pools/testing/TestCertificate"
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { HttpClient } from "effect/http"

/** The pool of the tests. */
export class Api extends HttpPool.Service<Api>()("app/Api") {}

export type Services = Api | HttpClient.HttpClient

export const trusted = { ca: certificate }

/** Runs a test with a pool of its own, and checks that nothing is left of it afterwards. */
export const withApi = <A, E, R>(
  options: HttpConfig.HttpOptions,
  test: Effect.Effect<A, E, R | Services>
): Effect.Effect<A, E | PoolError, Exclude<R, Services>> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(
      Api.layer({ drainTimeout: "1 second", minConnections: 0, metrics: false, ...options }),
      scope
    )
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Api).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }) as Effect.Effect<A, E | PoolError, Exclude<R, Services>>

export const eventually = <E, R>(what: string, ask: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Eventually.eventually(what, ask, "10 seconds")

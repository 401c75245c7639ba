/**
 * Puts something around each step of a connector, its close included.
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/**
 * The replacement for a step; the step itself is `inner`. A step the connector lacks is never asked for.
 */
export interface Interceptor {
  readonly connect: <A>(inner: Effect.Effect<A, unknown>) => Effect.Effect<A, unknown>
  readonly validate: (inner: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
  readonly reset: (inner: Effect.Effect<unknown, unknown> | undefined) => Effect.Effect<unknown, unknown> | undefined
  readonly close: (inner: Effect.Effect<void>) => Effect.Effect<unknown>
}

export const intercept = <C, L>(connector: Connector<C, L>, around: Interceptor): Connector<C, L> => {
  const validate = connector.validate?.bind(connector)
  const reset = connector.reset?.bind(connector)
  return {
    connect: (signals) => connect(Effect.suspend(() => connector.connect(signals)), around),
    validate: validate && ((connection) => around.validate(Effect.suspend(() => validate(connection)))),
    reset: reset && ((connection, exit: Exit.Exit<unknown, unknown>) => around.reset(reset(connection, exit))),
    isBroken: connector.isBroken?.bind(connector),
    lend: connector.lend?.bind(connector),
    revoke: connector.revoke?.bind(connector),
    inspect: connector.inspect?.bind(connector)
  }
}

/**
 * The connection gets a scope of its own, so that its close can be held up. What a failed `connect` has half opened is
 * cleaned up without interception: there is no connection whose close it would be.
 */
const connect = <C>(
  inner: Effect.Effect<C, unknown, Scope.Scope>,
  around: Interceptor
): Effect.Effect<C, unknown, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const own = yield* Scope.make()
      let isOpen = false
      yield* Effect.addFinalizer((exit) => isOpen ? around.close(Scope.close(own, exit)) : Scope.close(own, exit))
      const connection = yield* restore(around.connect(Scope.provide(inner, own)))
      isOpen = true
      return connection
    })
  )

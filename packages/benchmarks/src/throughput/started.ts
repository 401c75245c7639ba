/** A server of any kind. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Starts a server that lives until the scope closes or the process ends. */
export type Started = Effect.Effect<
  { readonly url: string; readonly connections: Effect.Effect<number, unknown> },
  unknown,
  Scope.Scope
>

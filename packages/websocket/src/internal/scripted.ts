/**
 * A pool whose connections lead to a script.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { WebSocketOptions } from "../WebSocketConfig.ts"
import * as WebSocketScript from "../WebSocketScript.ts"
import * as Runtime from "./runtime.ts"

/** Opens nothing in advance, so that a script sees connections in the order in which the test asks for them. */
const quiet = { minConnections: 0, healthCheck: "1 day", metrics: false } as const

export const make = <Message>(
  id: string,
  script: WebSocketScript.Script | WebSocketScript.Answer,
  options: Partial<WebSocketOptions<Message>>
): Effect.Effect<Runtime.Runtime<Message>, never, Scope.Scope> => {
  const server = typeof script === "function" ? WebSocketScript.make(script) : script
  const given = { url: "ws://script", ...quiet, ...options } as unknown as WebSocketOptions<Message>
  return Effect.catch(
    Runtime.make(id, given, (target, listener) => Effect.sync(() => server.connect(listener, target.protocols))),
    (error: PoolError) => Effect.die(error)
  )
}

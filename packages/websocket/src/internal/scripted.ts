/**
 * A pool whose connections lead to a script.
 */
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import { quiet } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { WebSocketOptions } from "./configModel.ts"
import * as WebSocketScript from "../WebSocketScript.ts"
import * as Runtime from "./runtime.ts"

export const make = <Message>(
  id: string,
  script: WebSocketScript.Script | WebSocketScript.Answer,
  options: Partial<WebSocketOptions<Message>>
): Effect.Effect<Runtime.Pool<Message>, PoolError | InvalidOption, Scope.Scope> => {
  const server = typeof script === "function" ? WebSocketScript.make(script) : script
  // Nobody else reconnects to a script.
  const given = { url: "ws://script", reconnectDelay: 0, ...quiet, ...options } as unknown as WebSocketOptions<Message>
  return Runtime.make(
    id,
    given,
    (target, listener) => Effect.sync(() => server.connect(listener, target.protocols))
  )
}

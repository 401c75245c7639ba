/**
 * Keeps responses that nobody reads from holding up the end of a pool for all of its `drainTimeout`.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Watch } from "./watch.ts"

/** How long a drain waits for a response that has come to be read: its program may be about to. */
const grace = "1 second"

/** The pool, whose responses that nobody reads are given up when it is drained, and at once when its scope closes. */
export const make = <Lent>(
  pool: ConnectionPool<Lent>,
  watch: Watch
): Effect.Effect<ConnectionPool<Lent>, never, Scope.Scope> => {
  const giveUp = Effect.sync(() => watch.giveUpUnread())
  const drain = Effect.flatMap(
    Effect.forkChild(Effect.delay(giveUp, grace)),
    (fiber) => Effect.ensuring(pool.drain, Fiber.interrupt(fiber))
  )
  return Effect.as(Effect.addFinalizer(() => giveUp), { ...pool, drain })
}

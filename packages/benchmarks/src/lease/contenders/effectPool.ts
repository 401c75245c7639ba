/** Effect's own `Pool`, bare: no limit on waiting, no counts, no events. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pool from "effect/Pool"
import * as Scope from "effect/Scope"
import { type Contender, poolSize } from "../contender.ts"
import { driveEffect } from "../../drive.ts"

export const effectPool: Contender = {
  name: "Effect Pool.use",
  way: "poolUse",
  async setUp(connections, size = poolSize) {
    const scope = Scope.makeUnsafe()
    const pool = await Effect.runPromise(Scope.provide(
      Pool.makeWithTTL({
        acquire: Effect.acquireRelease(
          Effect.sync(connections.open),
          (connection) => Effect.sync(() => connections.close(connection))
        ),
        min: size,
        max: size,
        timeToLive: "5 minutes"
      }),
      scope
    ))
    return {
      run: (callers, total, body) => driveEffect(callers, total, () => Pool.use(pool, body.effect)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

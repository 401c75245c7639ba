/** Everything that the demonstration can do to each server that the pools connect to. */
import { Effect, Exit, Scope, Semaphore } from "effect"

export interface Backend {
  readonly name: string
  /** The pool that needs it, if its name is another. */
  readonly pool?: string
  /** Ends the server at once, with whatever it is doing. */
  readonly kill: Effect.Effect<void>
  /** Starts it again where it was. */
  readonly revive: Effect.Effect<void>
}

/**
 * A server in this process that can be killed and revived: `start` listens on the port it is given (0 the first time)
 * and tells which one it got.
 */
export const restartable = Effect.fnUntraced(function*(
  name: string,
  start: (port: number) => Effect.Effect<number, unknown, Scope.Scope>
) {
  const turn = yield* Semaphore.make(1)
  const outer = yield* Effect.scope
  let life = yield* Scope.fork(outer)
  const port = yield* Scope.provide(start(0), life)
  let isUp = true
  const backend: Backend = {
    name,
    kill: turn.withPermit(Effect.suspend(() => {
      isUp = false
      return Scope.close(life, Exit.void)
    })),
    revive: turn.withPermit(Effect.suspend(() => {
      if (isUp) return Effect.void
      return Scope.fork(outer).pipe(
        Effect.tap((next) => Scope.provide(start(port), next)),
        Effect.map((next) => {
          life = next
          isUp = true
        }),
        Effect.orDie
      )
    }))
  }
  return { backend, port }
})

/**
 * A way out when a shutdown takes too long: the first signal is the program's, the second ends the process.
 *
 * `NodeRuntime.runMain` interrupts the program at `SIGINT` or `SIGTERM`, and the drain of the pools may take until its
 * `drainTimeout`. A second signal changes nothing there. Whoever sends one does not want to wait: with this layer
 * around the whole program the process then exits at once, with 130 or 143 as after a signal nobody handles.
 *
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { type ConnectionManager, ShutdownSignals } from "@effect-pools/manager"
 * import { Effect, Layer } from "effect"
 *
 * declare const Connections: Layer.Layer<ConnectionManager>
 * declare const program: Effect.Effect<void, never, ConnectionManager>
 *
 * program.pipe(Effect.provide(Layer.provideMerge(Connections, ShutdownSignals.layer)), NodeRuntime.runMain)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Ends the process at the second `SIGINT` or `SIGTERM`. Provide it below everything that takes time to
 * release, since it must be released last.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.map(Effect.context<never>(), (context) => listen(Effect.runSyncWith(context))),
    (stop) => Effect.sync(stop)
  )
)

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

// Effect has no service for the signals of a process.
// oxlint-disable-next-line no-restricted-globals
const host = process

const listen = (runSync: (effect: Effect.Effect<void>) => void): () => void => {
  let received = 0
  const onSignal = (signal: keyof typeof exitCodes): void => {
    received++
    if (received === 1) return
    runSync(Effect.logError(`${signal} came a second time: the process ends without waiting for its connections`))
    host.exit(exitCodes[signal])
  }
  host.on("SIGINT", onSignal)
  host.on("SIGTERM", onSignal)
  return () => {
    host.off("SIGINT", onSignal)
    host.off("SIGTERM", onSignal)
  }
}

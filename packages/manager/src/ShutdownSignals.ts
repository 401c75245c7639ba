/**
 * A way out when a shutdown takes too long: the first signal is the program's, the second ends the process.
 *
 * `NodeRuntime.runMain` interrupts the program at `SIGINT` or `SIGTERM`, and the drain of the pools may take until its
 * `drainTimeout`. A second signal changes nothing there. Whoever sends one does not want to wait: with this layer
 * around the whole program the process then exits at once, with 130 or 143 as after a signal nobody handles.
 *
 * One Ctrl-C or one stop of a service often arrives twice: from the terminal and from `node --watch`, npm or a service
 * manager that signals the whole group. Whatever comes within half a second of the first is therefore part of it.
 *
 * From the first signal on `/ready` of `Monitoring` says 503, though what is released before the pools may take its time.
 *
 * The program must handle the first signal itself, as `runMain` does. Where nobody does, such as with a `ManagedRuntime`
 * and no handler that disposes of it, the signal ends the process as it would without this layer, and an error is logged.
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
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { stopping } from "./internal/stopping.ts"

/**
 * Ends the process at the second `SIGINT` or `SIGTERM`, half a second after the first or later. Provide it below
 * everything that takes time to release, since it must be released last.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.map(Effect.context<never>(), listen),
    (stop) => Effect.sync(stop)
  )
)

/** How long the copies of one signal may take to arrive, ms. */
const oneStop = 500

// Effect has no service for the signals of a process.
// oxlint-disable-next-line no-restricted-globals
const host = process

/** The listeners of this module: of two layers none takes the other for somebody who handles the signal. */
const own = new Set<unknown>()

function listen(context: Context.Context<never>): () => void {
  const runSync = Effect.runSyncWith(context)
  const now = (): number => Number(runSync(Clock.monotonicTimeNanos)) / 1e6
  let first: number | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = now()
      stopping.isStopping = true
      if (isHandled(signal)) return
      runSync(Effect.logError(
        `nobody handles ${signal}: the process ends without draining its pools. Run the program with ` +
          "NodeRuntime.runMain, or dispose of its ManagedRuntime in a handler of the signal"
      ))
      stop()
      host.kill(host.pid, signal)
    } else if (now() - first >= oneStop) {
      runSync(Effect.logError(`${signal} came a second time: the process ends without waiting for its connections`))
      host.exit(signal === "SIGINT" ? 130 : 143)
    }
  }
  const stop = (): void => {
    own.delete(onSignal)
    stopping.isStopping = false
    host.off("SIGINT", onSignal)
    host.off("SIGTERM", onSignal)
  }
  own.add(onSignal)
  // Before the others, since a listener that was added with `once` is gone when the next one runs.
  host.prependListener("SIGINT", onSignal)
  host.prependListener("SIGTERM", onSignal)
  return stop
}

const isHandled = (signal: NodeJS.Signals): boolean => host.listeners(signal).some((listener) => !own.has(listener))

/**
 * Everything about Effect is in this file: the rest of the program sees functions that return promises.
 */
import { ResourcePool } from "@effect-pools/core"
import { Effect, ManagedRuntime } from "effect"

interface Session {
  readonly find: (id: number) => Effect.Effect<string>
}

class Sessions extends ResourcePool.Service<Sessions, Session>()("app/Sessions") {}

export interface StoreOptions {
  /** Connects to the server. */
  readonly connect: () => Promise<Session["find"]>
}

/** Opens the store. It closes at the end of the block that holds it: `await using store = open(...)`. */
export const open = ({ connect }: StoreOptions) => {
  const acquire = Effect.map(Effect.tryPromise(connect), (find): Session => ({ find }))
  // A layer that fails stays failed for the life of its runtime. A lazy pool starts whether or not the server is there,
  // and finds it when it is back.
  const runtime = ManagedRuntime.make(Sessions.layer({ acquire, startup: "lazy", acquireTimeout: "1 second" }))
  return {
    /** The caller's signal takes the request out of the queue, or interrupts it. */
    find: (id: number, signal?: AbortSignal): Promise<string> =>
      runtime.runPromise(
        Sessions.withConnection((session) => session.find(id)),
        signal === undefined ? {} : { signal }
      ),
    used: (): Promise<number> => runtime.runPromise(Effect.map(Sessions.stats, ({ used }) => used)),
    [Symbol.asyncDispose]: () => runtime.dispose()
  }
}

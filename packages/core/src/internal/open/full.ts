/**
 * A server that says it is full: the pool keeps to fewer connections for a while. Callers go on to wait for those that there are.
 */
import * as Effect from "effect/Effect"
import type { PoolState } from "../pool/state.ts"
import { warn } from "../watch/events.ts"
import { moveLimit } from "./limit.ts"

interface Said {
  /** When the work began that the server refused. */
  readonly began: number
  /** The dial, by the number of its connection, unless it was work on an open connection. */
  readonly dial?: number | undefined
  /** The server's words, on one line. */
  readonly said: string
  readonly retryAfter?: number | undefined
}

export const serverFull = (state: PoolState, { began, dial, retryAfter, said }: Said): void => {
  const { config, places: { fullServer } } = state
  if (state.phase !== "open") return
  const wasHeld = fullServer.ceiling < Infinity
  const floor = config.sizing.mode === "apply" ? config.sizing.min : config.minConnections
  const { live } = state.places
  const underWay = dialsOf(state)
  const now = state.time.now()
  if (!fullServer.refused({ now, began, dial, live, underWay, floor, retryAfter, said })) return
  const { ceiling } = fullServer
  if (!wasHeld) {
    warn(state, `the server is full, so the pool keeps to fewer connections for a while: ${said}`)
    state.fork(rises(state))
  }
  moveLimit(state, "server", ceiling, `the server is full: ${said}`)
}

/** Dials that the server has been asked for. */
const dialsOf = ({ places: { connections } }: PoolState): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (const { dial, id, state: is } of connections) if (is === "opening" && dial !== undefined) ids.push(id)
  return ids
}

/** Takes the steps up until nothing is left of the ceiling. */
const rises = (state: PoolState): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fullServer, limits } = state.places
    const now = state.time.now()
    if (fullServer.rise(now, limits.without("server"))) {
      moveLimit(state, "server", fullServer.ceiling, "the server has not said for a while that it is full")
    }
    if (fullServer.ceiling === Infinity) return Effect.void
    return Effect.andThen(Effect.sleep(Math.max(1, fullServer.until - now)), rises(state))
  })

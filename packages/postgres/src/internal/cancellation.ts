/**
 * Asks the server, over a socket of its own, to stop what a session runs.
 *
 * The driver does so too, but gives a session up whose statement ended by itself meanwhile: the request may still be on its
 * way, and would hit the next statement. Rows that somebody takes a part of end so every few times. The server tells when
 * the request has arrived, though: it ends the socket once the session is told, and a session that runs nothing by then
 * takes no notice. So whoever cancels waits for that end, and sends nothing over the session before.
 *
 * It can go when the driver keeps a session whose cancellation came too late: `Stopped.integration.test.ts` passes then
 * without it.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Effect from "effect/Effect"
import type { Duplex } from "node:stream"
import type { SqlError } from "effect/sql/SqlError"

/** The ties of a cancellation to its session. */
interface Cancelled {
  readonly isDead: boolean
  readonly wire: {
    /** How many statements have ended by cancellation. */
    readonly cancelled: number
  }
  readonly hangUp: (why: Error) => void
}

const unconfirmed = "the server did not confirm a cancellation, which may still be on its way"

/** As long as the driver waits for it. */
const limit = "5 seconds"

/** `open` makes the socket and `frame` is what is written to it. */
export const make = (
  open: Effect.Effect<Duplex, SqlError>,
  frame: Uint8Array,
  session: Cancelled
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (session.isDead) return Effect.void
    const { cancelled } = session.wire
    let isUnderWay = false
    const ask = (socket: Duplex): Effect.Effect<void> =>
      Effect.callback((resume) => {
        isUnderWay = true
        socket.once("error", () => resume(Effect.void))
        socket.once("end", () => {
          isUnderWay = false
          resume(Effect.void)
        })
        socket.resume().write(frame)
      })
    const opened = Effect.acquireRelease(open, (socket) => Effect.sync(() => socket.destroy()), { interruptible: true })
    // One that could not be opened has asked for nothing.
    const asking = Effect.ignore(Effect.scoped(Effect.flatMap(opened, ask)))
    return Effect.uninterruptible(Effect.map(TimeLimit.timeoutOption(Effect.interruptible(asking), limit), () => {
      if (isUnderWay && session.wire.cancelled === cancelled) session.hangUp(new Error(unconfirmed))
    }))
  })

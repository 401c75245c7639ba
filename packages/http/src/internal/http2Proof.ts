/**
 * Finds out whether a session still lives when a request on it was given up without an answer.
 *
 * Over HTTP/1 such a request takes its connection with it. A session serves on, so that one whose server is gone would
 * swallow request after request of callers whose patience is shorter than `headersTimeout`. Nor does Node always notice
 * that the server closed a session: a write that is under way at that moment may never end, and nothing is read
 * meanwhile.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { ClientHttp2Session } from "node:http2"
import type { Socket } from "node:net"

export interface Proof {
  /** Asks the server for a sign of life, unless it is being asked or has been a moment ago. */
  readonly ask: () => void
}

/** How long the server may take to answer, in milliseconds: longer than a busy process on either side takes. */
const patience = 5000

/** How long it is not asked again: servers count what they need not be asked. */
const pause = 1000

/** `onDead` is told when nothing came. */
export const make = (
  session: ClientHttp2Session,
  socket: Socket,
  onDead: (error: Error) => void
): Effect.Effect<Proof, never, Scope.Scope> =>
  Effect.map(FiberSet.makeRuntime<never, void, never>(), (run) => {
    let isAsking = false
    const asking = Effect.suspend(() => {
      const before = socket.bytesRead
      return Effect.flatMap(Effect.timeoutOption(acknowledged(session), patience), (answer) => {
        // An answer that came after all is proof enough, when this process was too busy to read it in time.
        if (answer._tag === "None" && socket.bytesRead === before) onDead(new SessionSilent(patience))
        return Effect.sleep(pause)
      })
    })
    return {
      ask: () => {
        if (isAsking) return
        isAsking = true
        run(Effect.ensuring(asking, Effect.sync(() => void (isAsking = false))))
      }
    }
  })

const acknowledged = (session: ClientHttp2Session): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (session.destroyed) return resume(Effect.void)
    // Without an answer the session ends, which is told by other ways.
    session.ping(() => resume(Effect.void))
  })

class SessionSilent extends Error {
  override readonly name = "SessionSilent"
  constructor(millis: number) {
    super(`the server has answered neither a request nor a PING for ${millis} ms`)
  }
}

/**
 * Pings a connection as long as it lives, whoever holds it.
 */
import * as Effect from "effect/Effect"
import { HeartbeatMissed } from "../WebSocketError.ts"
import type { Session } from "./session.ts"

export const beat = Effect.fnUntraced(function*<Message>(session: Session<Message>): Effect.fn.Return<void> {
  const { pingInterval, pongTimeout } = session.hub.settings
  yield* Effect.sleep(pingInterval)
  while (session.end === undefined) {
    const isAlive = lifeSign(session)
    session.ping()
    yield* Effect.sleep(pongTimeout)
    if (!isAlive()) session.lose(new HeartbeatMissed({ waited: pongTimeout, delivery: "unknown" }))
    yield* Effect.sleep(pingInterval - pongTimeout)
  }
})

/**
 * Tells whether there was a sign of life since. Any byte is one: a pong may be queued behind a large message. While
 * nobody reads the connection there can't be any.
 */
const lifeSign = <Message>(session: Session<Message>): () => boolean => {
  const { proofs, suspensions } = session
  const bytes = session.wire?.bytesRead()
  return () =>
    session.isSuspended || session.suspensions !== suspensions || session.proofs !== proofs ||
    session.wire?.bytesRead() !== bytes
}

/**
 * The `Socket` of Effect over connections of a pool.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { RawMessage } from "./configModel.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import { lentOf } from "./connector.ts"
import type { Lent } from "./lent.ts"
import { type Pool, runtimes } from "./runtime.ts"

/** Each reader is a lease; writers wait for the first, and write to the latest. Both end when `over` fails. */
export const make = (
  acquire: Effect.Effect<Lent<any>, Socket.SocketError, Scope.Scope>,
  over?: Effect.Effect<never, Socket.SocketError>
): Socket.Socket => {
  const untilOver = <A>(effect: Effect.Effect<A, Socket.SocketError>): Effect.Effect<A, Socket.SocketError> =>
    over === undefined ? effect : Effect.raceFirst(effect, over)
  const isConnected = Latch.makeUnsafe(false)
  let current: Lent<any> | undefined
  const reader = Effect.gen(function*() {
    const lent = yield* acquire
    lent.isRaw = true
    current = lent
    yield* isConnected.open
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (current !== lent) return
        current = undefined
        isConnected.closeUnsafe()
      })
    )
    const pull = untilOver(Effect.mapError(lent.take, ended))
    return { pull, upgrade: Socket.SocketUpgradeError.unsupported } as Socket.Reader
  })
  const write = (chunk: RawMessage | Socket.CloseEvent): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => {
      const lent = current
      if (lent === undefined) return untilOver(isConnected.whenOpen(write(chunk)))
      return Socket.isCloseEvent(chunk)
        ? lent.close(chunk.code, chunk.reason)
        : Effect.mapError(lent.sendRaw(chunk), notWritten)
    })
  const writer: Socket.Writer = { write, writeAll: (chunks) => Effect.forEach(chunks, write, { discard: true }) }
  return Socket.make({ reader, writer: Effect.succeed(writer) })
}

/** The socket of a pool: each reader has a connection to itself, until its scope closes or the pool drains. */
export const ofPool = <Message>(pool: Pool<Message>): Socket.Socket => {
  const isDraining = runtimes.of(pool)?.isDraining
  const lease = Effect.map(
    Effect.mapError(pool.acquireWith({ label: "socket", isLongLived: true }), notOpened),
    lentOf
  )
  return isDraining === undefined ? make(lease) : make(lease, Effect.andThen(Deferred.await(isDraining), drained))
}

const drained = Effect.fail(
  new Socket.SocketError({
    reason: new Socket.SocketCloseError({ code: 1001, closeReason: "the pool is draining" })
  })
)

const notOpened = (cause: PoolError): Socket.SocketError =>
  new Socket.SocketError({
    reason: new Socket.SocketOpenError({
      kind: cause.reason._tag === "AcquireTimeout" ? "Timeout" : "Unknown",
      cause
    })
  })

const ended = (error: WebSocketError): Socket.SocketError =>
  new Socket.SocketError({
    reason: error.reason._tag === "Closed"
      ? new Socket.SocketCloseError({ code: error.reason.code, closeReason: error.reason.closeReason })
      : new Socket.SocketReadError({ cause: error })
  })

const notWritten = (cause: WebSocketError): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })

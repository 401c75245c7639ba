/**
 * The operations of a WebSocket pool beyond lending: messages.
 */
import { PoolMisuse } from "@effect-pools/core/PoolError"
import type { PoolError } from "@effect-pools/core/PoolError"
import { type Operations, shared } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RequestOptions, WebSocketConnection } from "./connectionModel.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Hub } from "./hub.ts"
import type { BroadcastResult } from "./model.ts"
import * as Reader from "./reader.ts"
import * as Runtime from "./runtime.ts"
import * as PooledSocket from "./socket.ts"

// One set of operations serves every type of message: they pass them on unread.
type Pool = Runtime.Pool<any>
type Ran<A> = Effect.Effect<A, WebSocketError | PoolError>

const send = (pool: Pool, message: unknown): Ran<void> => again(shared(pool, (connection) => connection.send(message)))

/** With a `correlation` requests share a connection; without one, and on a test's double, each has one to itself. */
const request = (pool: Pool, message: unknown, options?: RequestOptions): Ran<unknown> => {
  const ask = (connection: WebSocketConnection<any>) => connection.request(message, options)
  return again(
    Runtime.runtimes.of(pool)?.hub.settings.correlation === undefined ? pool.withConnection(ask) : shared(pool, ask)
  )
}

const hubOf = (pool: Pool): Hub<any> => {
  const runtime = Runtime.runtimes.of(pool)
  if (runtime !== undefined) return runtime.hub
  // Thrown inside of an effect, it is a defect of that.
  throw new PoolMisuse({
    pool: pool.name,
    rule: "messages of all connections come from a pool that WebSocketPool made"
  })
}

const broadcast = (pool: Pool, message: unknown): Effect.Effect<ReadonlyArray<BroadcastResult>> =>
  Effect.forEach(
    Array.from(hubOf(pool).sessions),
    (session) => Effect.map(Effect.result(session.send(message)), (result) => ({ connection: session.id, result })),
    { concurrency: "unbounded" }
  )

const inbound = (pool: Pool) => Reader.inbound(hubOf(pool))

export const operations: Operations<Pool> = {
  methods: { send, request, broadcast },
  effects: {
    traffic: (pool) => Effect.sync(() => hubOf(pool).traffic),
    socket: (pool) => Effect.sync(() => PooledSocket.ofPool(pool))
  },
  streams: {
    inbound,
    messages: (pool) => Stream.filterMap(inbound(pool), Reader.messageOf)
  }
}

/**
 * Between the server's close frame and the end of its socket nothing tells that a connection is of no more use. Who meets
 * one then gets another: its message has not left.
 */
const again = <A>(
  attempt: Effect.Effect<A, WebSocketError | PoolError>
): Effect.Effect<A, WebSocketError | PoolError> =>
  Effect.catch(
    attempt,
    (error) =>
      error._tag === "WebSocketError" && error.reason._tag === "Closed" && error.reason.delivery === "none"
        ? attempt
        : Effect.fail(error)
  )

/**
 * The least that a session needs of a WebSocket: the edge between this package and `ws`, or a fake.
 *
 * A wire is an object of functions, so that nothing that prints it meets the URL with its token inside of `ws`.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionOptions } from "node:tls"
import type { RawMessage } from "./configModel.ts"
import type { WebSocketError } from "../WebSocketError.ts"

export interface Wire {
  readonly protocol: string
  /** Whether neither side has begun to close it. */
  readonly isOpen: () => boolean
  /** Bytes that wait to be sent. */
  readonly buffered: () => number
  /** Bytes that came so far. */
  readonly bytesRead: () => number
  /** `true` if the network has taken the message at once. Otherwise it calls back once, when it has or never will. */
  readonly send: (frame: RawMessage, onWritten: (error?: unknown) => void) => boolean
  /** Holds what is sent from here on, to offer it to the network together. */
  readonly cork: () => void
  readonly uncork: () => void
  readonly ping: (payload: string) => void
  readonly pause: () => void
  readonly resume: () => void
  /** Begins the closing handshake. */
  readonly close: (code: number, reason: string) => void
  readonly terminate: () => void
}

/** Told by a wire, synchronously and in order. */
export interface Listener {
  /** First of all, before anything can be received. */
  readonly opened: (wire: Wire) => void
  readonly received: (frame: RawMessage) => void
  readonly ponged: (payload: string) => void
  /**
   * The connection is of no more use, though its socket may still be closing. The code is this side's, which gave up on a
   * peer that breaks the protocol or a limit, or 1006.
   */
  readonly failed: (code: number, reason: string) => void
  /** The socket is closed. */
  readonly closed: (code: number, reason: string) => void
}

/** Where to, and how. Here secrets are plain. */
export interface Target {
  readonly address: string
  readonly url: string
  readonly protocols: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string>>
  readonly tls: ConnectionOptions | undefined
  readonly maxPayload: number
  readonly maxFragments: number
  readonly perMessageDeflate: boolean
  /** Whether another dial may come with other credentials. */
  readonly hasFreshCredentials: boolean
}

/** Opens a wire; an interruption gives it up. */
export type Open = (target: Target, listener: Listener) => Effect.Effect<void, WebSocketError>

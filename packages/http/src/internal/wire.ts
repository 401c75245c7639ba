/**
 * The carriers of requests: undici over one socket, a session of HTTP/2, or the script of a test.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import type { Exchange } from "./exchange.ts"
import type { Job } from "./job.ts"
import type { ConnectionSettings } from "./settings.ts"

export interface Wire {
  readonly protocol: "HTTP/1.1" | "HTTP/2"
  readonly origin: string
  readonly address: string
  /** How many requests it carries at once. */
  readonly maxStreams: number
  /** Whether it can still carry a request. */
  readonly isOpen: () => boolean
  /** How many bytes have come from the server. */
  readonly bytesRead: () => number
  readonly dispatch: (job: Job, exchange: Exchange) => void
}

/**
 * How a wire ends: as HTTP provides for, by a closed socket, which is in order where no request is under way, or by a
 * failure.
 */
export type End = "orderly" | "closed" | "failed"

/** Told when a wire ends or is about to. */
export type OnGone = (error: Error, end: End) => void

/** Makes a wire of an open socket, which may end before the wire is ready. */
export type MakeWire = (
  settings: ConnectionSettings,
  socket: Socket,
  address: string,
  onGone: OnGone
) => Effect.Effect<Wire, never, Scope.Scope>

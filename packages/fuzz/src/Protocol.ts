/** The fuzzer's knowledge of one protocol: a server that is right, and what a program does with the pool. */
import type * as Effect from "effect/Effect"

export interface Protocol {
  readonly name: string
  /** A server for one connection: what it says to each chunk that the client sends. */
  readonly answerer: () => (received: Buffer) => Buffer
  /** Makes a pool for the server at this port of loopback, uses it in several ways, and ends it. */
  readonly use: (port: number) => Effect.Effect<unknown, unknown>
}

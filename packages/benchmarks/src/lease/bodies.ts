/** The work done with a leased connection, once for async functions and once for Effect. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Connection } from "./connections.ts"

export type BodyName = "empty" | "hop"

/** The failure of the body that fails on purpose. */
class AskedFor extends Data.TaggedError("AskedFor") {}

/** Each run of a body draws the next number, so that the sum of the results tells whether each lease ran it once. */
export interface Body {
  readonly bare: (connection: Connection) => number | Promise<number>
  readonly effect: (connection: Connection) => Effect.Effect<number, AskedFor>
  /** Starts the numbers anew. */
  restart(): void
}

/** The sum of the results of `leases` leases: 1 + 2 + ... */
export const checksum = (leases: number): number => leases * (leases + 1) / 2

const empty = (): Body => {
  let drawn = 0
  const effect = Effect.sync(() => ++drawn)
  return {
    bare: () => ++drawn,
    effect: () => effect,
    restart() {
      drawn = 0
    }
  }
}

// One turn of the event loop, the least that any real use of a connection takes. Callers overlap, and so contend.
const hop = (): Body => {
  let drawn = 0
  const effect = Effect.callback<number>((resume) => {
    setImmediate(() => resume(Effect.succeed(++drawn)))
  })
  return {
    bare: () => new Promise<number>((resolve) => setImmediate(() => resolve(++drawn))),
    effect: () => effect,
    restart() {
      drawn = 0
    }
  }
}

export const makeBody = (name: BodyName): Body => name === "empty" ? empty() : hop()

/** A body that always fails: the connection must come back all the same. */
export const failing: Body = {
  bare: () => Promise.reject(new AskedFor()),
  effect: () => Effect.fail(new AskedFor()),
  restart() {}
}

/** The same calls for every pool in the race, so that all are driven in the same way. */
import type { Body } from "./bodies.ts"
import type { Connections } from "./connections.ts"

/** The size of every pool unless a scene asks for another: `min` and `max` alike. */
export const poolSize = 10

/** A pool that is open and filled on demand. */
export interface Running {
  /** `callers` loops share `total` leases and each does its share one after another. Gives the sum of the results. */
  run(callers: number, total: number, body: Body): Promise<number>
  close(): Promise<void>
}

export interface Contender {
  readonly name: string
  /**
   * `bare`: async functions around the pool. `inEffect`: the same pool as an Effect program uses it. `poolUse`: Effect's
   * own `Pool`, which does less. `floor`: no pool at all, which tells what the loop and the body cost by themselves.
   * `queue`: nothing but a list and a queue, which tells what a wait in Effect costs by itself.
   */
  readonly way: "ours" | "bare" | "inEffect" | "poolUse" | "floor" | "queue"
  /** `size` is that of the pool. */
  setUp(connections: Connections, size?: number): Promise<Running>
}

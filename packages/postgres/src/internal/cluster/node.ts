/**
 * One server of a cluster, as it was when it was last asked.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { LentConnection } from "../lent.ts"
import type { Position } from "./position.ts"
import type { Stay } from "./stay.ts"

/** The answer of a server to a probe. */
export interface Sample extends Position {
  /** When it was asked, in milliseconds of the cluster's clock. */
  readonly at: number
  readonly isStandby: boolean
  readonly systemId: string
  /** Tells one start of the server from another. */
  readonly startedAt: string
}

/** So many probes in a row must fail before a server is out. */
const failuresToGo = 3

export class Node {
  readonly name: string
  readonly bare: ConnectionPool<LentConnection>
  sample: Sample | undefined = undefined
  /** Probes that have failed since the last that did not. */
  failures = 0
  lastError: unknown = undefined
  /** Whether it serves reads as a replica. */
  isIn = false
  /** The level of degradation of its pool. Written by `degraded` alone. */
  level = 0
  /** Milliseconds behind the primary when it was last asked; `undefined` as long as nobody knows. */
  lag: number | undefined = undefined
  /** Whether it belongs to another cluster. */
  isForeign = false
  /** Reads that it serves as a replica. */
  readonly stays = new Set<Stay>()
  /** Reads that it served so far. */
  served = 0
  /** Where it stood when another server took over; `undefined` when it is known to follow that one. */
  base: number | undefined = undefined

  constructor(name: string, bare: ConnectionPool<LentConnection>) {
    this.name = name
    this.bare = bare
  }

  get reads(): number {
    return this.stays.size
  }

  /** Serves no reads any more: those that wait for a connection go elsewhere, and those that have one end there. */
  leave(): void {
    this.isIn = false
    for (const stay of this.stays) stay.sendOn()
  }

  /** Serves none, and lets go of those under way: nobody answers them there, or somebody who must not. */
  lose(why: string): void {
    this.leave()
    for (const stay of this.stays) stay.end(why)
  }

  get isLost(): boolean {
    return this.failures >= failuresToGo
  }

  get isStandby(): boolean {
    return this.sample?.isStandby === true
  }

  /** Whether reads may go there, as to a replica or as to the primary. */
  mayRead(primary: Node | undefined): boolean {
    return this.failures === 0 && (this.isIn || this === primary)
  }

  get load(): number {
    return this.reads / this.bare.config.maxConnections
  }
}

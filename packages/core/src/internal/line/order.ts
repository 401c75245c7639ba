/**
 * The seam of the line: who is served next. Another order is another file that implements this; nothing else of the engine
 * says who comes before whom.
 */
import type { PoolErrorReason } from "../../PoolError.ts"
import type { LeaseEnd } from "../../PoolEvent.ts"
import type { Level, Priority, TrafficStats } from "../model/traffic.ts"
import type { Lease, Pooled } from "./lease.ts"
import type { LeaseList } from "./leaseList.ts"

/** Everybody who waits, by when they came. The line alone changes it: an order reads it. */
export type Arrivals = Pick<LeaseList<Lease>, "size" | "sharers" | typeof Symbol.iterator> & {
  readonly head: Lease | undefined
}

export interface Order {
  /** How many of those who wait may be served now, so that a connection is worth opening for each. */
  readonly wanted: number
  /** How many of the wanted may use a connection together with others. */
  readonly wantedShared: number
  /**
   * A caller begins to wait; it is added to the arrivals afterwards. Gives how many milliseconds it may wait by what it said
   * of itself, `Infinity` if it said nothing.
   */
  enter(lease: Lease): number
  /** One waits no more: it is served, has given up, or its time is up. It is still among the arrivals. */
  leave(lease: Lease): void
  /**
   * The lease that is served next, of those who may be served now. Given the connection at hand, an order may match the two. Asked
   * twice without a change in between, it gives the same answer.
   */
  first(connection?: Pooled): Lease | undefined
  /**
   * Whether a newcomer may be served at once, before everybody who waits. An order without an account is not asked when
   * nobody waits.
   */
  isNext(lease: Lease): boolean
  /** Why a newcomer may not queue where so many wait in vain for now, and so many may at most; `undefined` if it may. */
  refusal(lease: Lease, pending: number, pendingLimit: number): PoolErrorReason | undefined
  /** Everybody who waits, in the order in which they would be served. The line may change while one goes through it. */
  [Symbol.iterator](): Iterator<Lease>
  /** The callers that wait and are served, told apart by what they say. */
  readonly traffic: TrafficStats
  /** The priority that one who waits is served by. */
  priorityOf(lease: Lease): Priority
  /** For an order that weighs who has had how much; told of every lease, those served at once included. */
  readonly account?: Account | undefined
  /** For an order that refuses callers so that others are served. */
  readonly overload?: Overload | undefined
  /** Sets the level of degradation by hand, or lets the order find it. */
  degrade?(level: Level | "auto"): void
  /** The limit that made a caller's time shorter than the pool gives. */
  limitOf?(lease: Lease): "deadline" | "traffic.degradedWait"
}

export interface Account {
  /** A lease got its connection. */
  began(lease: Lease): void
  /** A lease has ended that held a connection for so many milliseconds. */
  ended(lease: Lease, held: number, end: LeaseEnd): void
}

export interface Overload {
  /** Judges how long callers wait; `true` when more are to be refused than before, those included that wait already. */
  turn(now: number): boolean
  /** The part that is shed now, by priority. */
  readonly shed: Readonly<Record<"normal" | "low", number>>
  /** Why one that waits already is refused, or `undefined` if it may stay. */
  refusal(lease: Lease): PoolErrorReason | undefined
  /** A caller's turn did not come in time. */
  failed(lease: Lease): void
  /** The level of degradation, and whether it was set by hand. */
  readonly level: Level
  readonly isManual: boolean
  /** A second is over: the level may be another from here on. */
  turnSecond(): void
}

/** An operation on a real server, and everybody who does it. */
import type { ServerKind } from "./server.ts"

/** The size of every pool, at least and at most, unless a client is one connection by nature. */
export const poolSize = 10

/** A client that is open. */
export interface Client<A> {
  /** Operation `i` by itself. */
  one(i: number): Promise<A>
  /** `callers` loops share the operations 0 to `total - 1`. Gives the sum of what the results weigh. */
  run(callers: number, total: number, weigh: (result: A) => number): Promise<number>
  close(): Promise<void>
}

export interface Contender<A> {
  readonly name: string
  readonly isOurs: boolean
  /** The most connections it may have open. */
  readonly connections: number
  open(url: string): Promise<Client<A>>
}

export interface Workload<A> {
  readonly name: string
  readonly server: ServerKind
  /** How many single operations one of these is about as much work as: it needs the fewer to warm up. Default 1. */
  readonly worth?: number
  /**
   * Operations by the number of callers that take about half a second on a slow machine. A round does them as often as it
   * takes to last that long.
   */
  readonly operations: Readonly<Record<Callers, number>>
  /** Whether that is the result of operation `i`, in all its parts. */
  isRight(i: number, result: A): boolean
  /** The weight that a result adds to the sum, and the one that the result of operation `i` must add. */
  weigh(result: A): number
  weight(i: number): number
  /** The fault in the data that the operations have left at the server, for those that leave some. */
  inspect?(url: string): Promise<string | undefined>
  readonly contenders: ReadonlyArray<Contender<A>>
}

export const callers = [1, 10, 64] as const

type Callers = typeof callers[number]

/** A workload with so many callers. */
export interface Scenario {
  readonly name: string
  readonly workload: string
  readonly server: ServerKind
  readonly callers: Callers
  readonly operations: number
  /** A round lasts so many milliseconds at least. */
  readonly least: number
}

/** A scenario whose server runs. */
export interface Located extends Scenario {
  readonly url: string
}

/** The words that the fleet and its processes have for each other. */
export interface Orders {
  /** How many callers are to be at work. */
  readonly callers: number
}

export interface Told {
  readonly used: number
  readonly served: number
  readonly grant: number
  readonly store: string
  /** Leases that failed, by their message. */
  readonly failures: Readonly<Record<string, number>>
}

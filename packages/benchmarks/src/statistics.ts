/** The arithmetic behind the table. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.ceil(sorted.length / 2) - 1]
  if (upper === undefined || lower === undefined) throw new Error("there is no median of nothing")
  return (lower + upper) / 2
}

export const summarize = (values: ReadonlyArray<number>): Summary => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values)
})

/** The value that so large a share of the others does not exceed. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const value = values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)]
  if (value === undefined) throw new Error("there is no quantile of nothing")
  return value
}

export interface Comparison {
  readonly fastest: string
  /** How many operations of ours fit in the time of one of theirs: above 1 ours is faster. */
  readonly ratio: number
}

/** Compares with the rival that took least. */
export const compare = (ours: number, rivals: Readonly<Record<string, number>>): Comparison => {
  let fastest: string | undefined
  let least = Infinity
  for (const [name, time] of Object.entries(rivals)) {
    if (time < least) {
      least = time
      fastest = name
    }
  }
  if (fastest === undefined) throw new Error("there is nobody to compare with")
  return { fastest, ratio: least / ours }
}

/**
 * The order of one round. Every other round runs backwards, and each pair of rounds begins one further on, so that
 * nobody always runs first or always after the same neighbour.
 */
export const orderOf = <A>(all: ReadonlyArray<A>, round: number): ReadonlyArray<A> => {
  const order = round % 2 === 0 ? all : all.toReversed()
  const start = Math.floor(round / 2) % all.length
  return [...order.slice(start), ...order.slice(0, start)]
}

/** Numbers that the scenes tell. */
import { Dice } from "../../../../fuzz/src/Dice.ts"

/** The value that the share of the sorted values does not exceed. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

/** Jain's index: 1 when all have the same, and the inverse of their number when one has it all. */
export const jain = (shares: ReadonlyArray<number>): number => {
  const sum = shares.reduce((a, b) => a + b, 0)
  const squares = shares.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 1 : sum * sum / (shares.length * squares)
}

/** Numbers from 0 to 1 that are the same in each run. */
export const seeded = (seed: number): () => number => {
  const dice = new Dice(seed)
  return () => dice.next()
}

/** Milliseconds of the thread's processor time so far: what other processes take from it is not in it. */
export const threadMillis = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

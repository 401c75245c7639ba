/** One contender in one scenario: how a round of it is timed. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** A contender that does not do what the others do: its times would mean nothing. */
export class Unequal extends Error {
  constructor(scenario: string, contender: string, problem: string) {
    super(`${scenario}: ${contender} ${problem}`)
    this.name = "Unequal"
  }
}

/** The time of an operation in one round, in microseconds. */
export interface Lap {
  /** Wall time, all callers together. */
  readonly time: number
  /** Processor time of the contender's process, its garbage and its threads included. */
  readonly cpu: number
}

/** A contender that is set up and has passed its check. */
export interface Race {
  round(): Promise<Lap>
  finish(): Promise<void>
}

export interface Round {
  readonly callers: number
  readonly operations: number
  /** The sum of the results of all of them. */
  readonly sum: number
  /** Does so many operations and gives the sum of their results. */
  run(total: number): Promise<number>
  unequal(problem: string): Unequal
}

const checkLimit = 20_000

/** A pool that lost a connection hangs: that must end the run, not stall it. */
export const inTime = async <A>(promise: Promise<A>, unequal: (problem: string) => Unequal): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unequal(`did not finish in ${checkLimit} ms`)), checkLimit)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

// Nobody is to pay in one round for the garbage of the round before.
setFlagsFromString("--expose-gc")
const collectGarbage: (options: { readonly type: "minor" }) => void = runInNewContext("gc")

/**
 * Times a round. The results are added up here too: an operation that was skipped is not fast.
 *
 * A few operations go before, untimed. While the others ran, this process lost its place in the processor's caches, and
 * a pool that asks connections for a proof after a second's rest would ask in some rounds and not in others.
 */
export const timeRound = async ({ callers, operations, run, sum, unequal }: Round): Promise<Lap> => {
  await run(Math.max(callers, operations / 10))
  collectGarbage({ type: "minor" })
  const cpu = process.cpuUsage()
  const start = performance.now()
  const got = await run(operations)
  const elapsed = performance.now() - start
  const { system, user } = process.cpuUsage(cpu)
  if (got !== sum) throw unequal("lost a result while timed")
  return { time: elapsed * 1000 / operations, cpu: (user + system) / operations }
}

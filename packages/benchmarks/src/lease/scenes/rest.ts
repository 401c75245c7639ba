/** Many pools whose connections are all idle: the processor they need, and the timers they keep. */
import { kinds } from "./pools.ts"

export interface Rest {
  readonly _tag: "rest"
  readonly contender: string
  readonly pools: number
  readonly size: number
  readonly seconds: number
}

export interface Outcome {
  /** The part of one core that they need. */
  readonly core: number
  /** Timers under way, of all the pools together. */
  readonly timers: number
}

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

export const run = async ({ contender, pools, seconds, size }: Rest): Promise<Outcome> => {
  const kind = kinds.find(({ name }) => name === contender)
  if (kind === undefined) throw new Error(`there is no contender "${contender}"`)
  const before = timers()
  const open = await Promise.all(Array.from({ length: pools }, () => kind.open(size)))
  // The opening is over, and its garbage and its compiling with it.
  await sleep(3000)
  const kept = timers() - before
  const start = process.cpuUsage()
  const began = performance.now()
  await sleep(seconds * 1000)
  const { system, user } = process.cpuUsage(start)
  if (open.length !== pools) throw new Error("a pool is missing")
  return { core: (user + system) / 1000 / (performance.now() - began), timers: kept }
}

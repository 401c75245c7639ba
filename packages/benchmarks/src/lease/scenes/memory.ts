/** The bytes that a pool needs for one that waits, beyond its fiber or promise, and for the bookkeeping of an idle connection. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { makeConnections } from "../connections.ts"
import { kinds } from "./pools.ts"

export interface Memory {
  readonly _tag: "memory"
  readonly contender: string
  readonly count: number
}

export interface Outcome {
  readonly waiter: number
  readonly idle: number
}

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** The memory that is left once nothing more can be collected. */
const settledHeap = async (): Promise<number> => {
  for (let time = 0; time < 4; time++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 50))
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}

/** Kept for the life of the process: whatever is measured must not be collected meanwhile. */
const kept: Array<unknown> = []

const bytesOf = async (count: number, make: () => Promise<unknown>): Promise<number> => {
  const before = await settledHeap()
  kept.push(await make())
  return (await settledHeap() - before) / count
}

const many = (count: number, make: () => unknown) => async (): Promise<unknown> => Array.from({ length: count }, make)

export const run = async ({ contender, count }: Memory): Promise<Outcome> => {
  const kind = kinds.find(({ name }) => name === contender)
  if (kind === undefined) throw new Error(`there is no contender "${contender}"`)
  // Compiled and settled first, so that the code is in neither number.
  const one = await kind.open(1)
  kept.push(
    one,
    one.wait(),
    await many(1000, one.wait)(),
    await many(1000, kind.waitForNothing)(),
    await kind.open(100)
  )
  const nothing = await bytesOf(count, many(count, kind.waitForNothing))
  const waiting = await bytesOf(count, many(count, one.wait))
  const connections = makeConnections()
  const alone = await bytesOf(count, many(count, connections.open))
  const pool = await bytesOf(count, () => kind.open(count))
  return { waiter: waiting - nothing, idle: pool - alone }
}

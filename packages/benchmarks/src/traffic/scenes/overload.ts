/**
 * More callers than the connections can serve, each of which gives up after a second. Work is useful if it ends before its
 * caller has given up.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as clients from "./clients.ts"
import { percentile, seeded } from "./numbers.ts"

export interface Overload {
  readonly _tag: "overload"
  readonly contender: string
  /** How many times the capacity is asked for. */
  readonly load: number
  readonly seconds: number
}

const patience = 1000
const lease = 100
/** Until the pool is in its stride. */
const warmUp = 2000

const shedding = { shedAfter: 20 }

const makers: Readonly<Record<string, clients.MakeClient>> = {
  "ours, deadline": clients.ours("deadline", shedding),
  "ours, acquireTimeout": clients.ours("acquireTimeout", shedding),
  "ours, Effect.timeout": clients.ours("Effect.timeout", shedding),
  "ours, no shedding": clients.ours("acquireTimeout", {}),
  "ours, told nothing": clients.ours("acquireTimeout", {}, false),
  "no pool, nobody waits": clients.noPoolClient,
  "generic-pool": clients.genericPoolClient,
  tarn: clients.tarnClient,
  "pg-pool": clients.pgPoolClient,
  "Effect Pool": clients.effectPoolClient
}

export const contenders: ReadonlyArray<string> = Object.keys(makers)

export interface Outcome {
  readonly asked: number
  /** The longest time between two looks at the clock, in milliseconds: whoever waits then waits in vain. */
  readonly stall: number
  /** The part of the connections' time that went into work somebody still waited for. */
  readonly useful: number
  readonly high: { readonly asked: number; readonly inTime: number; readonly waitP99: number }
}

const priorityOf = (chance: number) => chance < 0.1 ? "high" : chance < 0.7 ? "normal" : "low"

export const run = async ({ contender, load, seconds }: Overload): Promise<Outcome> => {
  const client = await makers[contender]!(patience)
  const random = seeded(42)
  const start = performance.now()
  const end = start + warmUp + seconds * 1000
  const high = { asked: 0, inTime: 0, waits: new Array<number>() }
  let asked = 0
  let useful = 0
  const one = async (): Promise<void> => {
    const at = performance.now()
    const priority = priorityOf(random())
    const isCounted = at > start + warmUp
    if (isCounted) asked++
    if (isCounted && priority === "high") high.asked++
    let begun = 0
    try {
      await client.call({
        priority,
        fairKey: `caller ${random()}`,
        lease,
        begins: () => {
          begun = performance.now()
          if (isCounted && priority === "high") high.waits.push(begun - at)
        }
      })
    } catch {
      return // it was refused, or its time was up
    }
    const done = performance.now()
    if (done - at > patience) return
    // Only what falls into the time that is looked at.
    useful += Math.max(0, Math.min(done, end) - Math.max(begun, start + warmUp))
    if (isCounted && priority === "high") high.inTime++
  }
  const calls: Array<Promise<void>> = []
  const gap = lease / clients.poolSize / load
  let next = start
  let stall = 0
  for (let last = start; next < end;) {
    const now = performance.now()
    stall = Math.max(stall, now - last)
    last = now
    while (next <= performance.now()) {
      calls.push(one())
      next -= gap * Math.log(1 - random())
    }
    await sleep(1)
  }
  await Promise.all(calls)
  await client.close()
  return {
    asked,
    stall,
    useful: useful / (clients.poolSize * seconds * 1000),
    high: { asked: high.asked, inTime: high.inTime, waitP99: percentile(high.waits, 0.99) }
  }
}

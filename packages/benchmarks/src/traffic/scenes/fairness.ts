/** One key that floods the pool, and nine others: all with as many callers as they can use, and with few of them. */
import { setTimeout as sleep } from "node:timers/promises"
import * as clients from "./clients.ts"
import { jain, percentile, seeded } from "./numbers.ts"

export interface Fairness {
  readonly _tag: "fairness"
  readonly contender: string
  readonly seconds: number
}

const lease = 10
const patience = 30_000
const flooders = 100
const keys = 9

const makers: Readonly<Record<string, clients.MakeClient>> = {
  "ours, maxShare 0.4": clients.ours("acquireTimeout", { maxShare: 0.4 }),
  "ours, keys alone": clients.ours("acquireTimeout", {}),
  "generic-pool": clients.genericPoolClient,
  tarn: clients.tarnClient,
  "Effect Pool": clients.effectPoolClient
}

export const contenders: ReadonlyArray<string> = Object.keys(makers)

export interface Outcome {
  /** Jain's index of the time that each key held connections, when every key has callers enough. */
  readonly jain: number
  /** The time that a caller of a quiet key waits and works, in milliseconds, beside the flooder. */
  readonly quiet: { readonly p50: number; readonly p99: number }
}

const loop = async (client: clients.Client, fairKey: string, until: number, held: (millis: number) => void) => {
  while (performance.now() < until) {
    let begun = 0
    await client.call({ priority: "normal", fairKey, lease, begins: () => void (begun = performance.now()) })
    held(performance.now() - begun)
  }
}

const crowd = (client: clients.Client, until: number, callers: (key: number) => number, held: Array<number>) =>
  Array.from(
    { length: keys + 1 },
    (_, key) =>
      Array.from({ length: callers(key) }, () =>
        loop(client, `key ${key}`, until, (millis) => {
          held[key] = (held[key] ?? 0) + millis
        }))
  ).flat()

const saturated = async (make: clients.MakeClient, seconds: number): Promise<number> => {
  const client = await make(patience)
  const held = Array.from({ length: keys + 1 }, () => 0)
  await Promise.all(crowd(client, performance.now() + seconds * 1000, (key) => key === 0 ? flooders : 4, held))
  await client.close()
  return jain(held)
}

const quiet = async (make: clients.MakeClient, seconds: number): Promise<Outcome["quiet"]> => {
  const client = await make(patience)
  const until = performance.now() + seconds * 1000
  const flood = crowd(client, until, (key) => key === 0 ? flooders : 0, [])
  const random = seeded(7)
  const took: Array<number> = []
  const ask = async (key: number): Promise<void> => {
    const at = performance.now()
    await client.call({ priority: "normal", fairKey: `key ${key}`, lease, begins: () => {} })
    took.push(performance.now() - at)
  }
  const asked: Array<Promise<void>> = []
  // Each asks for three of a hundred parts of the capacity.
  const gap = lease / clients.poolSize / (keys * 0.03)
  let next = performance.now()
  while (next < until) {
    while (next <= performance.now()) {
      asked.push(ask(1 + Math.floor(random() * keys)))
      next -= gap * Math.log(1 - random())
    }
    await sleep(1)
  }
  await Promise.all([...asked, ...flood])
  await client.close()
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) }
}

export const run = async ({ contender, seconds }: Fairness): Promise<Outcome> => {
  const make = makers[contender]!
  return { jain: await saturated(make, seconds), quiet: await quiet(make, seconds) }
}

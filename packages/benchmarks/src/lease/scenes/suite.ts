/** The scenes of the lease suite: how the cost of a lease grows, memory, pools at rest, and what sizing and a budget cost. */
import { playAll, type Played, playIn, playWithin } from "../../scenes.ts"
import type { Choice, Outcome } from "../../suite.ts"
import { round, table } from "../../table.ts"
import type { Outcome as CostOutcome } from "./cost.ts"
import type { Outcome as MemoryOutcome } from "./memory.ts"
import { kinds } from "./pools.ts"
import type { Outcome as RestOutcome } from "./rest.ts"
import { sized } from "./sized.ts"
import type { Scene } from "./worker.ts"

const worker = new URL("worker.ts", import.meta.url)

const play = <Result>(name: string, scene: Scene): Promise<Result> => playIn<Result>(worker, name, scene)

/** Those whose queue has no bound of its own that a hundred thousand callers would meet. */
const growing = ["effect-pools", "generic-pool", "generic-pool in Effect", "Effect Pool.use", "bare queue in Effect"]

/** For all rounds of one contender at one step, in milliseconds. A lease of some costs the more, the more callers wait. */
const growLimit = 120_000

/**
 * Microseconds a lease for each contender at each step, and how many times the first step the last one is. A contender that takes
 * longer than the limit has no number for the step, and is asked no further.
 */
const grow = async (
  heading: string,
  steps: ReadonlyArray<number>,
  names: ReadonlyArray<string>,
  sceneOf: (contender: string, step: number) => Scene
): Promise<Outcome> => {
  const record: Record<string, ReadonlyArray<number | null>> = {}
  for (const name of names) {
    const costs: Array<number | null> = steps.map(() => null)
    for (const [i, step] of steps.entries()) {
      const outcome = await playWithin<CostOutcome>(growLimit, worker, name, sceneOf(name, step))
      if (outcome === undefined) break
      costs[i] = round(outcome.cpu)
    }
    record[name] = costs
  }
  const text = table(
    [heading, ...steps.map(String), "last : first"],
    Object.entries(record).map(([name, costs]) =>
      [name].concat(costs.map((cost) => cost?.toFixed(2) ?? `over ${growLimit / 1000} s`), growth(costs))
    )
  )
  return { record: { steps, ...record }, text }
}

const growth = (costs: ReadonlyArray<number | null>): string => {
  const [first, last] = [costs[0], costs.at(-1)]
  return typeof first === "number" && typeof last === "number" ? (last / first).toFixed(2) : ""
}

const connections = (isQuick: boolean): Promise<Outcome> =>
  grow("us a lease, 100 callers, connections:", [10, 100, 1000, 10_000], growing, (contender, size) => ({
    _tag: "cost",
    contender,
    size,
    callers: 100,
    leases: isQuick ? 20_000 : 100_000
  }))

/** Ten leases for each caller, so that the beginning of its fiber is a small part. */
const waiters = (isQuick: boolean): Promise<Outcome> =>
  grow(
    "us a lease, 10 connections, callers:",
    isQuick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000],
    [...growing, "no pool in Effect"],
    (contender, callers) => ({
      _tag: "cost",
      contender,
      size: 10,
      callers,
      leases: Math.max(isQuick ? 20_000 : 100_000, 10 * callers)
    })
  )

const memory = async (isQuick: boolean): Promise<Outcome> => {
  const record: Record<string, MemoryOutcome> = {}
  for (const { name } of kinds) {
    record[name] = await play<MemoryOutcome>(name, { _tag: "memory", contender: name, count: isQuick ? 2000 : 10_000 })
  }
  const text = table(
    ["bytes for each", "waiter", "idle connection"],
    Object.entries(record).map(([name, { idle, waiter }]) => [name, waiter.toFixed(0), idle.toFixed(0)])
  )
  return { record, text }
}

const rest = async (isQuick: boolean): Promise<Outcome> => {
  const record: Record<string, RestOutcome> = {}
  for (const { name } of kinds) {
    const seconds = isQuick ? 5 : 20
    record[name] = await play<RestOutcome>(name, { _tag: "rest", contender: name, pools: 50, size: 20, seconds })
  }
  const text = table(
    ["50 pools of 20 connections at rest", "of a core", "timers"],
    Object.entries(record).map(([name, { core, timers }]) => [
      name,
      `${(100 * core).toFixed(3)} %`,
      String(timers)
    ])
  )
  return { record, text }
}

/** Plays the scenes that were asked for. */
export const playScenes = (choice: Choice, tell: (line: string) => void): Promise<Played> => {
  const scenes = {
    "lease/connections": () => connections(choice.quick),
    "lease/waiters": () => waiters(choice.quick),
    "lease/memory": () => memory(choice.quick),
    "lease/rest": () => rest(choice.quick),
    "lease/sized": () => sized(choice.quick)
  }
  return playAll(scenes, choice, (value) => Number(value.toPrecision(4)), tell)
}

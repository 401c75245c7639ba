/** Alternating rounds: in each round every contender does the same number of operations, each in its own process. */
import type { ChildProcess } from "node:child_process"
import { ask, end, startTimed } from "./children.ts"
import type { Order, Reply, TrackName } from "./orders.ts"
import type { Lap } from "./race.ts"
import { orderOf, summarize, type Summary } from "./statistics.ts"

/** How often a scenario is run. */
export interface Rounds {
  /** Rounds that count. Odd, so that the median is a round that was run. */
  readonly rounds: number
  /** Rounds before them that don't, in which the code is compiled. */
  readonly warmUps: number
}

export interface Measured {
  readonly name: string
  /** Microseconds of wall time an operation, all callers together. */
  readonly time: Summary
  /** Microseconds of processor time an operation. */
  readonly cpu: Summary
}

/** The rounds of a contender, in their order. */
export interface Laps {
  readonly name: string
  readonly laps: ReadonlyArray<Lap>
}

/** A contender's process. It lives as long as there are scenarios for it: starting one for each would take too long. */
export interface Lane {
  readonly name: string
  readonly child: ChildProcess
}

/** The module may be that of another checkout, whose contender then runs. */
export const openLane = (track: TrackName, name: string, module = new URL("lane.ts", import.meta.url)): Lane => ({
  name,
  child: startTimed(module, [track, name])
})

export const closeLane = ({ child }: Lane): Promise<void> => end(child)

const order = async ({ child, name }: Lane, given: Order): Promise<Lap | undefined> => {
  const reply = await ask<Reply>(child, name, given)
  if (reply._tag === "Failed") throw new Error(reply.problem)
  return reply.lap
}

/** Opens the contender and checks that it does what all must do. */
export const setUp = async (lane: Lane, scenario: object): Promise<void> => {
  await order(lane, { _tag: "SetUp", scenario })
}

export const finish = async (lane: Lane): Promise<void> => {
  await order(lane, { _tag: "Finish" })
}

/** Times contenders that are set up. */
export const race = async (lanes: ReadonlyArray<Lane>, plan: Rounds): Promise<ReadonlyArray<Laps>> => {
  const laps = new Map(lanes.map((lane) => [lane, new Array<Lap>()]))
  for (let round = 0; round < plan.warmUps + plan.rounds; round++) {
    // One after the other: two at a time would share the machine.
    for (const lane of orderOf(lanes, round)) {
      const lap = await order(lane, { _tag: "Round" })
      if (round >= plan.warmUps && lap !== undefined) laps.get(lane)?.push(lap)
    }
  }
  return Array.from(laps, ([{ name }, all]) => ({ name, laps: all }))
}

export const measuredOf = ({ laps, name }: Laps): Measured => ({
  name,
  time: summarize(laps.map(({ time }) => time)),
  cpu: summarize(laps.map(({ cpu }) => cpu))
})

/** Races contenders, each in a process of its own, in one scenario after the other. */
export const raceAll = async <Scenario extends object, Result>(
  track: TrackName,
  names: ReadonlyArray<string>,
  plan: Rounds & { readonly scenarios: ReadonlyArray<Scenario> },
  makeResult: (scenario: Scenario, measured: ReadonlyArray<Measured>) => Result,
  tell: (line: string) => void,
  lineOf: (result: Result) => string
): Promise<ReadonlyArray<Result>> => {
  if (plan.scenarios.length === 0) return []
  tell(`${track}: ${plan.rounds} alternating rounds after ${plan.warmUps} to warm up`)
  const lanes = names.map((name) => openLane(track, name))
  const results: Array<Result> = []
  for (const scenario of plan.scenarios) {
    for (const lane of lanes) await setUp(lane, scenario)
    const result = makeResult(scenario, (await race(lanes, plan)).map(measuredOf))
    for (const lane of lanes) await finish(lane)
    results.push(result)
    tell(lineOf(result))
  }
  await Promise.all(lanes.map(closeLane))
  return results
}

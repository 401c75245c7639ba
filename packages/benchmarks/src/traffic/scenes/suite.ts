/** The scenes in their processes, and what came out of them as tables. */
import { playAll, type Played, playIn } from "../../scenes.ts"
import type { Choice, Outcome } from "../../suite.ts"
import { round, table } from "../../table.ts"
import type { Outcome as CrowdOutcome } from "./crowd.ts"
import { contenders as exodusContenders, type Outcome as ExodusOutcome } from "./exodus.ts"
import { contenders as fairnessContenders, type Outcome as FairnessOutcome } from "./fairness.ts"
import { contenders as overloadContenders, type Outcome as OverloadOutcome } from "./overload.ts"
import type { Outcome as PostgresOutcome, Phase } from "./postgres.ts"
import type { Scene } from "./worker.ts"

const play = <Result>(name: string, scene: Scene): Promise<Result> =>
  playIn<Result>(new URL("worker.ts", import.meta.url), name, scene)

/** So many wait beside each other: more of them would take the processors from one another. */
const atATime = 5

/** A few contenders at a time: each waits most of it. */
const together = async <Result>(
  names: ReadonlyArray<string>,
  sceneOf: (name: string) => Scene
): Promise<Record<string, Result>> => {
  const outcomes: Array<readonly [string, Result]> = []
  for (let from = 0; from < names.length; from += atATime) {
    const some = names.slice(from, from + atATime)
    outcomes.push(
      ...await Promise.all(some.map(async (name) => [name, await play<Result>(name, sceneOf(name))] as const))
    )
  }
  return Object.fromEntries(outcomes)
}

const oneByOne = async <Result>(
  names: ReadonlyArray<string>,
  sceneOf: (name: string) => Scene
): Promise<Record<string, Result>> => {
  const outcomes: Record<string, Result> = {}
  for (const name of names) outcomes[name] = await play<Result>(name, sceneOf(name))
  return outcomes
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

const overload = async (load: number, seconds: number): Promise<Outcome> => {
  const outcomes = await together<OverloadOutcome>(overloadContenders, (contender) => ({
    _tag: "overload",
    contender,
    load,
    seconds
  }))
  const text = table(
    [
      `${load} x the capacity, ${seconds} s`,
      "useful work",
      "high served in time",
      "high wait p99, ms",
      "longest stall, ms"
    ],
    Object.entries(outcomes).map(([name, { high, stall, useful }]) => [
      name,
      percent(useful),
      `${high.inTime}/${high.asked}`,
      high.waitP99.toFixed(1),
      stall.toFixed(0)
    ])
  )
  return { record: outcomes, text }
}

const fairness = async (seconds: number): Promise<Outcome> => {
  const outcomes = await oneByOne<FairnessOutcome>(
    fairnessContenders,
    (contender) => ({ _tag: "fairness", contender, seconds })
  )
  const text = table(
    ["one flooder, nine keys, leases of 10 ms", "Jain, all saturate", "quiet p50, ms", "quiet p99, ms"],
    Object.entries(outcomes).map(([name, { jain, quiet }]) => [
      name,
      jain.toFixed(3),
      quiet.p50.toFixed(1),
      quiet.p99.toFixed(1)
    ])
  )
  return { record: outcomes, text }
}

const crowd = async (isQuick: boolean): Promise<Outcome> => {
  const many = isQuick ? 20_000 : 100_000
  const few = await play<CrowdOutcome>("crowd", { _tag: "crowd", waiters: 100, keys: 10, times: many / 100 })
  const all = await play<CrowdOutcome>("crowd", { _tag: "crowd", waiters: many, keys: many / 10, times: 1 })
  const row = (name: string, { bytes, enter, leave, serve }: CrowdOutcome) => [
    name,
    enter.toFixed(2),
    serve.toFixed(2),
    leave.toFixed(2),
    bytes.toFixed(0)
  ]
  const text = table(
    ["waiters", "enter, us", "serve, us", "leave, us", "bytes beside the fiber"],
    [row("100", few), row(String(many), all)]
  )
  return { record: { few, many: all, waiters: many }, text }
}

const exodus = async (): Promise<Outcome> => {
  const outcomes = await oneByOne<ExodusOutcome>(
    exodusContenders,
    (contender) => ({ _tag: "exodus", contender, waiters: 10_000 })
  )
  const text = table(
    [
      "10,000 waiters leave at once",
      "took, ms",
      "of the processor, ms",
      "longest stall, ms",
      "longest by the processor, ms"
    ],
    Object.entries(outcomes).map(([name, { cpu, stall, stallCpu, took }]) =>
      [name].concat([took, cpu, stall, stallCpu].map((millis) => millis.toFixed(1)))
    )
  )
  return { record: outcomes, text }
}

const postgres = async (isQuick: boolean): Promise<Outcome> => {
  const seconds = isQuick ? [4, 8, 14] as const : [10, 20, 40] as const
  const playOne = (isTold: boolean) =>
    play<PostgresOutcome>(`postgres ${isTold}`, { _tag: "postgres", isTold, seconds })
  const outcomes = { "without Traffic": await playOne(false), "with Traffic": await playOne(true) }
  const row = (name: string, { checkout, page, report }: Phase) => [
    name,
    checkout.p50.toFixed(0),
    checkout.p99.toFixed(0),
    `${checkout.served}/${checkout.served + checkout.failed}`,
    `${page.served}/${page.served + page.failed}`,
    `${report.served}/${report.served + report.failed}`
  ]
  const text = table(
    ["PostgreSQL, 4 connections", "checkout p50, ms", "p99, ms", "checkouts", "pages", "reports"],
    Object.entries(outcomes).flatMap(([name, { after, before, slow }]) => [
      row(`${name}, full speed`, before),
      row(`${name}, half speed`, slow),
      row(`${name}, full speed again`, after)
    ])
  )
  const levels = `level of degradation, second by second: ${outcomes["with Traffic"].levels.join(" ")}`
  return { record: outcomes, text: `${text}\n\n${levels}` }
}

/** Plays the scenes that were asked for. */
export const playScenes = (choice: Choice, tell: (line: string) => void): Promise<Played> => {
  const { quick } = choice
  const seconds = quick ? 8 : 60
  const scenes = {
    "traffic/crowd": () => crowd(quick),
    "traffic/exodus": exodus,
    "traffic/fairness": () => fairness(quick ? 5 : 20),
    "traffic/postgres": () => postgres(quick),
    "traffic/overload/2": () => overload(2, seconds),
    "traffic/overload/4": () => overload(4, seconds)
  }
  return playAll(scenes, choice, round, tell)
}

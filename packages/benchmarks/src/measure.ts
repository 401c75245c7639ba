/** Alternating rounds: in each round every contender does the same number of leases, each in its own process. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Contender } from "./contender.ts"
import type { Order, Reply } from "./lane.ts"
import type { Plan, Scenario } from "./scenarios.ts"
import { orderOf, summarize, type Summary } from "./statistics.ts"

export interface Measured {
  readonly contender: Contender
  /** Microseconds of wall time a lease, all callers together. */
  readonly times: Summary
}

/** A contender's process. It lives for the whole run: starting eighty would take longer than the race. */
export interface Lane {
  readonly contender: Contender
  readonly child: ChildProcess
}

export const openLane = (contender: Contender): Lane => ({
  contender,
  child: fork(fileURLToPath(new URL("lane.ts", import.meta.url)), [contender.name], {
    execArgv: ["--conditions=@effect-pools/source"]
  })
})

export const closeLane = ({ child }: Lane): void => {
  child.kill()
}

/** Gives an order and waits for the reply. A contender that fails, or whose process ends, ends the benchmark. */
const tell = ({ child, contender }: Lane, order: Order): Promise<number> =>
  new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`the process of ${contender.name} ended`))
    child.once("exit", onExit)
    child.once("error", onExit)
    child.once("message", (reply: Reply) => {
      child.off("exit", onExit)
      child.off("error", onExit)
      if (reply._tag === "Done") resolve(reply.time)
      else reject(new Error(reply.problem))
    })
    child.send(order)
  })

const race = async (lanes: ReadonlyArray<Lane>, plan: Plan): Promise<ReadonlyArray<Measured>> => {
  const times = new Map(lanes.map((lane) => [lane, new Array<number>()]))
  for (let round = 0; round < plan.warmUps + plan.rounds; round++) {
    // One after the other: two at a time would share the machine.
    for (const lane of orderOf(lanes, round)) {
      const time = await tell(lane, { _tag: "Round" })
      if (round >= plan.warmUps) times.get(lane)?.push(time)
    }
  }
  return Array.from(times, ([{ contender }, all]) => ({ contender, times: summarize(all) }))
}

/** Sets every contender up, checks that they do the same, times them and closes them. */
export const measure = async (
  lanes: ReadonlyArray<Lane>,
  scenario: Scenario,
  plan: Plan
): Promise<ReadonlyArray<Measured>> => {
  for (const lane of lanes) await tell(lane, { _tag: "SetUp", scenario })
  const measured = await race(lanes, plan)
  for (const lane of lanes) await tell(lane, { _tag: "Finish" })
  return measured
}

/** The cost of a pool beside the network: operations on real servers, beside the clients that one would use without it. */
import { closeLane, finish, type Lane, measuredOf, openLane, race, type Rounds, setUp } from "../measure.ts"
import { Unequal } from "../race.ts"
import type { Suite } from "../suite.ts"
import { makeResult, renderResults, type Result } from "./report.ts"
import { makePlan, type Plan } from "./scenarios.ts"
import type { ServerKind } from "./server.ts"
import { openServer, type Server, settle } from "./servers.ts"
import type { Contender, Located, Workload } from "./workload.ts"
import { loadAll } from "./workloads.ts"

interface Entrant {
  readonly contender: Contender<unknown>
  readonly lane: Lane
}

/** Opens the contenders and counts the connections of each at the server: one with more of them does not do the same. */
const admit = async (
  entrants: ReadonlyArray<Entrant>,
  scenario: Located,
  server: Server
): Promise<ReadonlyMap<string, number>> => {
  const connections = new Map<string, number>()
  for (const { contender, lane } of entrants) {
    const before = await server.connections()
    await setUp(lane, scenario)
    const most = contender.connections
    const own = (await settle(server, before + most)) - before
    if (own > most) throw new Unequal(scenario.name, contender.name, `has ${own} connections, the limit is ${most}`)
    connections.set(contender.name, own)
  }
  return connections
}

/** Closes the contenders. They must leave nothing; how many each has at this moment changes as they open more or tire. */
const dismiss = async (entrants: ReadonlyArray<Entrant>, scenario: Located, server: Server): Promise<void> => {
  for (const { lane } of entrants) await finish(lane)
  const left = await settle(server, 0)
  const names = entrants.map(({ contender }) => contender.name).join(", ")
  if (left > 0) throw new Unequal(scenario.name, names, `left ${left} connections open after their close`)
}

const runScenario = async (
  entrants: ReadonlyArray<Entrant>,
  scenario: Located,
  server: Server,
  rounds: Rounds
): Promise<Result> => {
  const connections = await admit(entrants, scenario, server)
  const measured = (await race(entrants.map(({ lane }) => lane), rounds)).map(measuredOf)
  await dismiss(entrants, scenario, server)
  return makeResult(scenario, entrants.map(({ contender }) => contender), measured, connections)
}

const runWorkload = async (
  { contenders, name }: Workload<unknown>,
  plan: Plan,
  server: Server,
  tell: (line: string) => void
): Promise<ReadonlyArray<Result>> => {
  const entrants = contenders.map((contender): Entrant => ({
    contender,
    lane: openLane("throughput", contender.name)
  }))
  const results: Array<Result> = []
  for (const scenario of plan.scenarios.filter(({ workload }) => workload === name)) {
    const result = await runScenario(entrants, { ...scenario, url: server.url }, server, plan)
    results.push(result)
    const ratios = Object.entries(result.ratios).map(([name, ratio]) => `${name} x ${ratio.toFixed(2)}`)
    tell(`${result.name}: ${ratios.join(", ")} of ${result.fastest}`)
  }
  await Promise.all(entrants.map(({ lane }) => closeLane(lane)))
  return results
}

export const throughputSuite: Suite = {
  name: "throughput",
  packages: [
    "@effect-pools/core",
    "@effect/platform-node",
    "@effect/sql-pg",
    "effect",
    "ioredis",
    "pg",
    "pg-pool",
    "postgres",
    "undici",
    "ws"
  ],
  async run(choice, tell) {
    const workloads = await loadAll()
    const plan = makePlan(workloads, choice)
    if (plan.scenarios.length === 0) return undefined
    tell(`throughput: ${plan.rounds} alternating rounds after ${plan.warmUps} to warm up`)
    const results: Array<Result> = []
    const kinds: ReadonlySet<ServerKind> = new Set(plan.scenarios.map(({ server }) => server))
    for (const kind of kinds) {
      const server = await openServer(kind)
      for (const workload of workloads.filter(({ server }) => server === kind)) {
        if (!plan.scenarios.some((scenario) => scenario.workload === workload.name)) continue
        results.push(...await runWorkload(workload, plan, server, tell))
      }
      await server.close()
    }
    return { record: { rounds: plan.rounds, results }, text: renderResults(results) }
  }
}

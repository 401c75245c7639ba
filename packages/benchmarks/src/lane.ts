/**
 * One contender in a process of its own, told over IPC what to do next.
 *
 * In one process all contenders would share what the compiler has learned: code that several of them use, such as the
 * run loop of Effect, would be compiled for all of them at once and be slower for each than it is in any program.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type Body, checksum, makeBody } from "./bodies.ts"
import { check, checkClosed, type Racer, Unequal } from "./check.ts"
import { makeConnections } from "./connections.ts"
import { contenders } from "./contenders/all.ts"
import type { Scenario } from "./scenarios.ts"

export type Order =
  | { readonly _tag: "SetUp"; readonly scenario: Scenario }
  | { readonly _tag: "Round" }
  | { readonly _tag: "Finish" }

export type Reply =
  | { readonly _tag: "Done"; readonly time: number }
  | { readonly _tag: "Failed"; readonly problem: string }

// Nobody is to pay in one round for the garbage of the round before.
setFlagsFromString("--expose-gc")
const collectGarbage: (options: { readonly type: "minor" }) => void = runInNewContext("gc")

interface Race {
  readonly racer: Racer
  readonly scenario: Scenario
  readonly body: Body
}

const setUp = async (name: string, scenario: Scenario): Promise<Race> => {
  const contender = contenders.find((contender) => contender.name === name)
  if (contender === undefined) throw new Error(`there is no contender "${name}"`)
  const connections = makeConnections()
  const racer: Racer = { contender, connections, running: await contender.setUp(connections) }
  await check(racer, scenario)
  return { racer, scenario, body: makeBody(scenario.body) }
}

/**
 * The results are added up here too: a lease that was skipped is not fast.
 *
 * A few leases go before, untimed. While the others ran, this process lost its place in the processor's caches, and a
 * pool that asks connections for a proof after a second's rest would ask in some rounds and not in others.
 */
const round = async ({ body, racer: { contender, running }, scenario }: Race): Promise<number> => {
  await running.run(scenario.callers, Math.max(scenario.callers, scenario.leases / 10), body)
  collectGarbage({ type: "minor" })
  body.restart()
  const start = performance.now()
  const sum = await running.run(scenario.callers, scenario.leases, body)
  const elapsed = performance.now() - start
  if (sum !== checksum(scenario.leases)) throw new Unequal(scenario.name, contender.name, "lost a result while timed")
  return elapsed * 1000 / scenario.leases
}

const finish = async ({ racer, scenario }: Race): Promise<void> => {
  await racer.running.close()
  checkClosed(racer, scenario)
}

let race: Race | undefined

const obey = async (order: Order): Promise<number> => {
  if (order._tag === "SetUp") {
    race = await setUp(process.argv[2] ?? "", order.scenario)
    return 0
  }
  if (race === undefined) throw new Error("nothing is set up")
  if (order._tag === "Round") return round(race)
  await finish(race)
  race = undefined
  return 0
}

const send = (reply: Reply): void => {
  process.send?.(reply)
}

process.on("message", (order: Order) => {
  obey(order).then(
    (time) => send({ _tag: "Done", time }),
    (error: unknown) => send({ _tag: "Failed", problem: String(error) })
  )
})

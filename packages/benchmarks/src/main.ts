/** The benchmark: `npm run bench [-- --json FILE] [-- --filter TEXT] [-- --quick] [-- --against CHECKOUT]`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { parseArgs } from "node:util"
import { endAll, lost } from "./children.ts"
import { against } from "./lease/against.ts"
import { leaseSuite } from "./lease/suite.ts"
import { describeMachine, readVersions } from "./machine.ts"
import { outageSuite } from "./outage/suite.ts"
import { startSuite } from "./start/suite.ts"
import type { Outcome } from "./suite.ts"
import { throughputSuite } from "./throughput/suite.ts"
import { trafficSuite } from "./traffic/suite.ts"

const suites = [leaseSuite, throughputSuite, trafficSuite, outageSuite, startSuite]

const readArgs = () => {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      filter: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      against: { type: "string" }
    }
  })
  return values
}

const main = async (): Promise<void> => {
  const args = readArgs()
  const machine = describeMachine()
  const versions = readVersions(suites.flatMap(({ packages }) => packages))
  const { cores, cpu, load, memory, node, platform } = machine
  console.log(`Node ${node}, ${cpu}, ${cores} cores, ${memory}, ${platform}, load ${load}`)
  console.log(Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "))
  const outcomes = new Map<string, Outcome>()
  for (const suite of args.against === undefined ? suites : [against(args.against)]) {
    const outcome = await suite.run(args, console.log)
    if (outcome === undefined) continue
    outcomes.set(suite.name, outcome)
    console.log(`\n${outcome.text}\n`)
  }
  if (outcomes.size === 0) throw new Error(`no benchmark has "${args.filter}" in its name`)
  if (args.json !== undefined) {
    const records = Object.fromEntries(Array.from(outcomes, ([name, { record }]) => [name, record]))
    mkdirSync(dirname(args.json), { recursive: true })
    writeFileSync(args.json, `${JSON.stringify({ machine, versions, ...records }, undefined, 2)}\n`)
  }
}

let ending: Promise<never> | undefined

const end = (code: number): Promise<never> => ending ??= endAll().then(() => process.exit(code))

process.on("SIGINT", () => void end(130))
process.on("SIGTERM", () => void end(143))

try {
  await Promise.race([main(), lost])
  await end(0)
} catch (error) {
  if (ending === undefined) console.error(error)
  await end(1) // a pool that hangs would keep the process alive
}

/** `npm run fuzz -- [--minutes 10] [--seed N] [--protocol redis]`: exits with 1 when anything was found. */
import { parseArgs } from "node:util"
import { corpusFolder, readCorpus, writeCase } from "./Corpus.ts"
import { fuzz, protocols } from "./Fuzz.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    protocol: { type: "string" }
  }
})

const minutes = Number(values.minutes)
const seed = Number(values.seed)
if (!(minutes > 0 && minutes <= 1440)) throw new Error(`--minutes is a number from 0 to 1440, got ${values.minutes}`)
if (!Number.isInteger(seed)) throw new Error(`--seed is a whole number, got ${values.seed}`)
const chosen = protocols.filter(({ name }) => values.protocol === undefined || name === values.protocol)
if (chosen.length === 0) throw new Error(`--protocol is one of ${protocols.map(({ name }) => name).join(", ")}`)

/** The most that a run may cost: no turn of the loop above it, and no more memory at any time. */
const longestStall = 100
const mostMemory = 1_000_000_000

console.log(`seed ${seed}, ${minutes} min`)
const outcome = await fuzz({
  seed,
  millis: minutes * 60_000,
  corpus: readCorpus(corpusFolder),
  protocols: chosen,
  longest: 15_000
})

for (const [index, { found, how, protocol, said }] of outcome.violations.entries()) {
  console.log(`\n${protocol}, ${how}\n${found}`)
  if (said.length === 0) continue
  console.log(`written to ${writeCase(corpusFolder, `${protocol}-${seed}-${index}`, { protocol, found, said })}`)
}
for (const stack of outcome.uncaught) console.log(`\nuncaught: ${stack}`)

const counts = Object.entries(outcome.exchanges).map(([name, count]) => `${name} ${count}`).join(", ")
const total = Object.values(outcome.exchanges).reduce((sum, count) => sum + count, 0)
console.log(`\n${total} exchanges (${counts})`)
console.log(
  `${outcome.violations.length} wrong, ${outcome.uncaught.length} uncaught, longest stall ` +
    `${outcome.longestStall.toFixed(0)} ms, most memory ${(outcome.peakMemory / 1e6).toFixed(0)} MB`
)

const isWell = total > 0 && outcome.violations.length === 0 && outcome.uncaught.length === 0 &&
  outcome.longestStall <= longestStall && outcome.peakMemory <= mostMemory
process.exit(isWell ? 0 : 1)

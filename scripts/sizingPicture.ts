/**
 * Draws `docs/pictures/sizing.svg`: the climb of the core against a simulated server that serves 20 connections at a time and
 * gets a little slower with more. `npm run sizing -- --picture FILE` draws a run on a real one.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pictureOf, type Run } from "../packages/benchmarks/src/sizing/picture.ts"
import { HillClimb } from "../packages/core/src/internal/sizing/hillClimb.ts"

const seconds = 75
const every = 100

const rateOf = (size: number): number => 100 * Math.min(size, 20) * Math.min(1, 20 / size) ** 0.1

/** Chance that is the same in each run. */
let seed = 7
const chance = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return (seed + 0.5) / 2 ** 32
}

const endedOf = (expected: number): number =>
  Math.round(expected + Math.sqrt(expected * -2 * Math.log(chance())) * Math.cos(2 * Math.PI * chance()))

const runOf = (start: number): Run => {
  const climb = new HillClimb({ min: 1, max: 100, start, mayMove: true })
  const limits: Array<number> = []
  const rates: Array<number> = []
  let ended = 0
  for (let second = 1; second <= seconds; second++) {
    const before = ended
    for (let now = (second - 1) * 1_000 + every; now <= second * 1_000; now += every) {
      const { size } = climb
      ended += endedOf(rateOf(size) * every / 1_000)
      const seen = {
        now,
        limit: size,
        live: size,
        used: size,
        pending: 10,
        waited: ended,
        ended,
        interrupted: 0,
        failedOperations: 0
      }
      climb.look(seen, 100)
      if (climb.size !== size) climb.moved({ ...seen, limit: climb.size })
    }
    limits.push(climb.size)
    rates.push(ended - before)
  }
  const mean = (all: ReadonlyArray<number>): number => all.reduce((sum, each) => sum + each, 0) / all.length
  return { start, limits, rates, found: mean(limits.slice(-15)), rate: mean(rates.slice(-15)), moves: [climb.why] }
}

const runs = [5, 100].map(runOf)
const file = join(import.meta.dirname, "../docs/pictures/sizing.svg")
writeFileSync(file, pictureOf(runs, { size: 20, rate: rateOf(20) }))
for (const { found, rate, start } of runs) {
  console.log(`from ${start}: ${found.toFixed(1)} connections, ${Math.round(rate)} leases a second`)
}

import { assert, describe, it } from "@effect/vitest"
import type { Measured } from "../../src/measure.ts"
import { makeResult, renderResults } from "../../src/throughput/report.ts"
import type { Scenario } from "../../src/throughput/workload.ts"

const scenario: Scenario = {
  name: "throughput/echo/10",
  workload: "echo",
  server: "websocket",
  callers: 10,
  operations: 1000,
  least: 500
}

const contenders = [
  { name: "ours", isOurs: true },
  { name: "ours of 1", isOurs: true },
  { name: "slow", isOurs: false },
  { name: "fast", isOurs: false }
]

/** Medians in microseconds; each spreads from half to the double. */
const measured = (times: Readonly<Record<string, number>>): ReadonlyArray<Measured> =>
  Object.entries(times).map(([name, median]) => ({
    name,
    time: { median, min: median / 2, max: median * 2 },
    cpu: { median: 7, min: 6, max: 8 }
  }))

const connections = new Map([["ours", 10], ["ours of 1", 1], ["slow", 10], ["fast", 10]])

const result = makeResult(
  scenario,
  contenders,
  measured({ "ours": 40, "ours of 1": 100, "slow": 200, "fast": 50 }),
  connections
)

describe("the report of throughput", () => {
  it("times become operations a second", () => {
    assert.deepStrictEqual(result.ours, { "ours": 25_000, "ours of 1": 10_000 })
    assert.deepStrictEqual(result.rivals, { slow: 5000, fast: 20_000 })
  })

  it("the longest round is the least of operations a second", () => {
    assert.deepStrictEqual(result.raw["fast"], { median: 20_000, min: 10_000, max: 40_000 })
  })

  it("each of ours is compared with the fastest rival, and the best of them gives the ratio", () => {
    assert.strictEqual(result.fastest, "fast")
    assert.deepStrictEqual(result.ratios, { "ours": 1.25, "ours of 1": 0.5 })
    assert.strictEqual(result.ratio, 1.25)
  })

  it("each workload has a table with a column for each number of callers", () => {
    const alone = makeResult({ ...scenario, callers: 1 }, contenders, measured({ ours: 20, fast: 10 }), connections)
    const lines = renderResults([alone, result]).split("\n").map((line) => line.replaceAll(/ +/g, " "))
    assert.include(lines, "| echo | 1 caller | ratio | 10 callers | ratio |")
    assert.include(lines, "| ours | 50 000 | 0.50 | 25 000 | 1.25 |")
    assert.include(lines, "| fast | 100 000 | | 20 000 | |")
    assert.include(lines, "| ours | 10, 10 | 25 000 - 100 000 | 7.0 | 12 500 - 50 000 | 7.0 |")
  })
})

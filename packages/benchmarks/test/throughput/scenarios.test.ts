import { assert, describe, it } from "@effect/vitest"
import { makePlan } from "../../src/throughput/scenarios.ts"
import { callers } from "../../src/throughput/workload.ts"
import { loadAll } from "../../src/throughput/workloads.ts"

const workloads = await loadAll()

describe("the plan of throughput", () => {
  it("every workload is run with each number of callers", () => {
    assert.strictEqual(makePlan(workloads, { filter: "", quick: false }).scenarios.length, workloads.length * 3)
  })

  it("every operation of a round belongs to a caller", () => {
    for (const quick of [false, true]) {
      for (const scenario of makePlan(workloads, { filter: "", quick }).scenarios) {
        assert.strictEqual(scenario.operations % scenario.callers, 0, scenario.name)
      }
    }
  })

  it("the filter leaves those that have it in their name", () => {
    const { scenarios } = makePlan(workloads, { filter: "redis-get", quick: true })
    assert.deepStrictEqual(scenarios.map(({ name }) => name), callers.map((n) => `throughput/redis-get/${n}`))
  })

  it("the rounds that count are odd in number", () => {
    for (const quick of [false, true]) assert.strictEqual(makePlan(workloads, { filter: "", quick }).rounds % 2, 1)
  })

  it("every workload has ours and somebody beside it, with names of their own", () => {
    for (const { contenders } of workloads) {
      assert.deepStrictEqual(new Set(contenders.map(({ isOurs }) => isOurs)), new Set([true, false]))
      assert.strictEqual(new Set(contenders.map(({ name }) => name)).size, contenders.length)
    }
  })
})

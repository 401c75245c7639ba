import { assert, describe, it } from "@effect/vitest"
import { check, checkClosed, type Racer } from "../../src/lease/check.ts"
import { makeConnections } from "../../src/lease/connections.ts"
import type { Contender } from "../../src/lease/contender.ts"
import { effectPool } from "../../src/lease/contenders/effectPool.ts"
import { floorBare } from "../../src/lease/contenders/floor.ts"
import { genericPoolBare } from "../../src/lease/contenders/genericPool.ts"
import type { Scenario } from "../../src/lease/scenarios.ts"

const scenario: Scenario = { name: "lease/hop/100", body: "hop", callers: 100, leases: 5000 }

const setUp = async (contender: Contender): Promise<Racer> => {
  const connections = makeConnections()
  return { contender, connections, running: await contender.setUp(connections) }
}

const refusal = async (racer: Racer): Promise<string> => {
  const error: unknown = await check(racer, scenario).then(() => undefined, (error) => error)
  return error instanceof Error ? error.message : "none"
}

describe("the check before a race", () => {
  it("pools that do the same pass, bare and in Effect", async () => {
    const racers = [await setUp(genericPoolBare), await setUp(effectPool)]
    for (const racer of racers) {
      await check(racer, scenario)
      await racer.running.close()
      checkClosed(racer, scenario)
    }
  })

  it("a pool that lends a connection to two callers at one time is refused", async () => {
    const racer = await setUp({ ...floorBare, name: "sharing", way: "bare" })
    assert.match(await refusal(racer), /sharing lent a connection twice/)
  })

  it("a pool that skips leases is refused", async () => {
    const racer = await setUp(genericPoolBare)
    const { running } = racer
    const lazy: Racer = {
      ...racer,
      running: { ...running, run: (callers, total, body) => running.run(callers, Math.ceil(total / 2), body) }
    }
    assert.match(await refusal(lazy), /ran the body \d+ times for 300 leases/)
    await running.close()
  })

  it("a pool that opens more connections than allowed is refused", async () => {
    const racer = await setUp(genericPoolBare)
    racer.connections.open()
    assert.match(await refusal(racer), /had 11 connections open/)
    await racer.running.close()
  })

  it("a pool that leaves a connection open after its close is refused", async () => {
    const racer = await setUp(genericPoolBare)
    await racer.running.close()
    racer.connections.open()
    assert.throws(() => checkClosed(racer, scenario), /left 1 connections open/)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { PoolSizing } from "@effect-pools/core"
import { Schema } from "effect"

const load: PoolSizing.Load = {
  cores: 16,
  memory: 8192,
  serverMaxConnections: 100,
  instances: 1,
  meanQueryTime: "10 millis",
  targetRate: 1000
}

describe("PoolSizing.recommend", () => {
  it("asks for what the rate needs and 30 % more room", () => {
    // 1000 a second for 10 ms each keep 10 connections busy; 10 of 15 are 67 %.
    assert.deepStrictEqual(PoolSizing.recommend(load), {
      minConnections: 3,
      maxConnections: 15,
      because: "demand",
      demand: 15
    })
  })

  it.each<readonly [Partial<PoolSizing.Load>, PoolSizing.Sizing]>([
    [{ cores: 4 }, { minConnections: 2, maxConnections: 9, because: "cores", demand: 15 }],
    [{ memory: 60 }, { minConnections: 2, maxConnections: 6, because: "memory", demand: 15 }],
    [{ serverMaxConnections: 13 }, {
      minConnections: 2,
      maxConnections: 10,
      because: "serverMaxConnections",
      demand: 15
    }]
  ])("is bound by %o, and says so", (given, expected) => {
    assert.deepStrictEqual(PoolSizing.recommend({ ...load, ...given }), expected)
  })

  it("divides among the instances both the rate and what the server bears", () => {
    assert.deepStrictEqual(PoolSizing.recommend({ ...load, targetRate: 10_000, instances: 3 }), {
      minConnections: 2,
      maxConnections: 11,
      because: "cores",
      demand: 48
    })
  })

  it("never recommends a pool without connections, or one that keeps more than it may have", () => {
    const tiny = { ...load, cores: 1, memory: 5, serverMaxConnections: 2, instances: 10, targetRate: 0.1 }
    assert.deepStrictEqual(PoolSizing.recommend(tiny), {
      minConnections: 1,
      maxConnections: 1,
      because: "demand",
      demand: 1
    })
  })

  const positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))

  it.prop("gives sizes that all instances together can have, one connection each at least", {
    cores: positive,
    memory: positive,
    serverMaxConnections: positive,
    instances: positive,
    meanQueryTime: positive,
    targetRate: positive
  }, (load) => {
    const { demand, maxConnections, minConnections } = PoolSizing.recommend(load)
    assert.isTrue(Number.isInteger(minConnections) && Number.isInteger(maxConnections))
    assert.isTrue(1 <= minConnections && minConnections <= maxConnections && maxConnections <= demand)
    assert.isTrue(maxConnections === 1 || maxConnections * load.instances <= load.serverMaxConnections)
  })

  it.each([
    ["cores", 0],
    ["memory", NaN],
    ["serverMaxConnections", -1],
    ["instances", Infinity],
    ["targetRate", 0],
    ["meanQueryTime", 0]
  ])("refuses %s of %s", (name, value) => {
    assert.throws(
      () => PoolSizing.recommend({ ...load, [name]: value }),
      RangeError,
      `${name} must be a finite number greater than 0, got ${value}`
    )
  })
})

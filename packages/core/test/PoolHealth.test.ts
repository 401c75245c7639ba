import { assert, describe, it } from "@effect/vitest"
import { PoolConfig, PoolHealth, PoolThresholds } from "@effect-pools/core"
import { Effect } from "effect"
import { type Given, statsOf } from "./support/stats.ts"
import { db } from "./support/kinds.ts"

const config = Effect.runSync(PoolConfig.make(db, "app/Db", {}))

const assess = (given: Given) => PoolHealth.assess(statsOf(given), config)

const wait = { count: 20, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }

describe("a pool is healthy", () => {
  it("when it has done nothing yet", () => {
    assert.deepStrictEqual(assess({ counts: { opened: 0 }, idle: 0, total: 0 }), {
      name: "app/Db",
      status: "healthy",
      isServing: true,
      diagnosis: undefined,
      utilization: 0,
      avgWaitTime: 0,
      avgQueryTime: 0,
      errorRate: 0,
      warnings: []
    })
  })

  it.each<readonly [string, Given]>([
    ["90 % are lent", { used: 18, utilization: 90 }],
    ["as many callers wait as there may be connections", { pending: 20 }],
    ["waits are 100 ms", { wait: { ...wait, mean: 100, p95: 100 } }],
    ["a few leases waited long for the first dial", { wait: { ...wait, count: 19, mean: 500, p95: 500 } }],
    ["5 % failed", { counts: { acquiredAtOnce: 93, timedOut: 5, opened: 2 } }],
    ["5 % of the validations failed", { counts: { validated: 100, failedToValidate: 5 } }],
    ["the lease suspected to leak has ended", { used: 1, counts: { leaksSuspected: 1 } }],
    ["one of a few failed", { counts: { acquiredAtOnce: 3, timedOut: 1 } }],
    ["one of a few validations failed", { counts: { validated: 3, failedToValidate: 1 } }],
    ["callers were interrupted", { counts: { interrupted: 100 } }],
    ["the first connections are being opened", { idle: 0, opening: 2, pending: 5, counts: { opened: 0 } }],
    ["it is empty on purpose and dials once failed", {
      idle: 0,
      minConnections: 0,
      counts: { acquiredAtOnce: 100, failedToOpen: 1 }
    }]
  ])("while %s", (_, given) => {
    assert.deepStrictEqual(assess(given).warnings, [])
  })
})

const cases: ReadonlyArray<readonly [string, Given, Omit<PoolHealth.HealthWarning, "remedy">]> = [
  ["more than 90 % are lent", { used: 19, utilization: 95 }, {
    about: "utilization",
    level: "warning",
    value: 95,
    message: "19 of 20 connections are lent, which is above 90 %"
  }],
  ["more callers wait than there may be connections", { pending: 21, oldestWaiter: 12.4 }, {
    about: "queue",
    level: "warning",
    value: 21,
    message: "21 callers wait for at most 20 connections, the first for 12 ms"
  }],
  ["the mean wait is long", { wait: { ...wait, mean: 101, p95: 400 } }, {
    about: "wait",
    level: "warning",
    value: 101,
    message: "the mean wait for a connection is 101 ms, above 100 ms, over 20 leases of the last 60 s"
  }],
  ["some waits are long", { wait: { ...wait, mean: 20, p95: 101 } }, {
    about: "wait",
    level: "warning",
    value: 101,
    message: "the 95th percentile of waits for a connection is 101 ms, above 100 ms, over 20 leases of the last 60 s"
  }],
  ["more than 5 % failed", {
    counts: { acquiredAtOnce: 42, acquiredAfterWaiting: 50, opened: 2, timedOut: 1, refused: 2, failed: 3 }
  }, {
    about: "failures",
    level: "warning",
    value: 0.06,
    message: "6 % of 100 acquisitions and dials of the last 60 s failed, above 5 %"
  }],
  ["more than 5 % of the validations failed", { counts: { validated: 1000, failedToValidate: 51 } }, {
    about: "validation",
    level: "warning",
    value: 0.051,
    message: "5.1 % of 1000 validations of the last 60 s failed, above 5 %"
  }],
  ["a lent connection may be leaked", { used: 1, overdue: 1 }, {
    about: "leak",
    level: "warning",
    value: 1,
    message: "1 lease is held for longer than leakTimeout (60000 ms)"
  }],
  ["the breaker is open while connections serve", {
    breaker: "open",
    counts: { acquiredAtOnce: 1000, failedToOpen: 10 }
  }, {
    about: "breaker",
    level: "warning",
    value: 10,
    message: "the breaker around dials is open: at least 50 % of the last dials failed, 10 since the pool was made"
  }],
  ["callers wait between dials that fail", { idle: 0, pending: 1, counts: { acquiredAtOnce: 1000, failedToOpen: 2 } }, {
    about: "connect",
    level: "critical",
    value: 1,
    message: "1 caller waits while no connection is open and dials fail, 2 since the pool was made"
  }],
  ["callers wait too long for a dial after one that failed", {
    idle: 0,
    pending: 3,
    opening: 1,
    oldestWaiter: 1001,
    counts: { acquiredAtOnce: 1000, failedToOpen: 2 }
  }, {
    about: "connect",
    level: "critical",
    value: 3,
    message: "3 callers wait while no connection is open and dials fail, 2 since the pool was made"
  }],
  ["nothing is open though nobody waits", { idle: 0, opening: 1, counts: { acquiredAtOnce: 1000, failedToOpen: 1 } }, {
    about: "connect",
    level: "warning",
    value: 0,
    message: "0 connections are open where minConnections asks for 2, and 1 dial has failed since the pool was made"
  }],
  ["it is paused", { state: "paused", used: 1 }, {
    about: "closed",
    level: "warning",
    value: 1,
    message: "the pool is paused and admits nobody; 1 connection is still lent"
  }],
  ["it is draining", { state: "draining", used: 2 }, {
    about: "closed",
    level: "warning",
    value: 2,
    message: "the pool is draining and admits nobody; 2 connections are still lent"
  }],
  ["it is closed", { state: "closed", idle: 0, total: 0, counts: { acquiredAtOnce: 1000, failedToOpen: 1 } }, {
    about: "closed",
    level: "critical",
    value: 0,
    message: "the pool is closed and has 0 connections"
  }]
]

describe("a pool warns with the number and the remedy", () => {
  it.each(cases)("when %s", (_, given, expected) => {
    const { status, warnings } = assess(given)
    assert.strictEqual(warnings.length, 1)
    const { remedy, ...warning } = warnings[0]!
    assert.deepStrictEqual(warning, expected)
    assert.match(remedy, /^[A-Z].{20,}\.$/)
    assert.strictEqual(status, expected.level === "critical" ? "unhealthy" : "degraded")
  })

  it("of nothing else when it is closed", () => {
    const counts = { acquiredAtOnce: 10, timedOut: 10, failedToOpen: 10, validated: 10, failedToValidate: 10 }
    const recent = { breaker: "open", wait: { ...wait, mean: 250, p95: 500 }, overdue: 1, counts } as const
    const { status, warnings } = assess({ state: "closed", idle: 0, total: 0, ...recent })
    assert.deepStrictEqual(warnings.map(({ about }) => about), ["closed"])
    assert.strictEqual(status, "unhealthy")
  })

  it("of everything at once", () => {
    const health = assess({
      used: 20,
      utilization: 100,
      pending: 21,
      breaker: "open",
      wait: { ...wait, mean: 250, p95: 500 }
    })
    assert.deepStrictEqual(health.warnings.map(({ about }) => about), ["breaker", "utilization", "queue", "wait"])
    assert.strictEqual(health.status, "degraded")
    assert.strictEqual(health.utilization, 100)
    assert.strictEqual(health.avgWaitTime, 250)
  })

  it("as unhealthy if one of several things is critical: the breaker is open and so is nothing else", () => {
    const health = assess({ used: 0, idle: 0, breaker: "open", wait: { ...wait, mean: 250, p95: 500 } })
    assert.deepStrictEqual(health.warnings.map(({ about, level }) => [about, level]), [
      ["breaker", "critical"],
      ["wait", "warning"]
    ])
    assert.strictEqual(health.status, "unhealthy")
  })

  it("with a rate that counts dials as well as callers", () => {
    assert.strictEqual(assess({ counts: { acquiredAtOnce: 90, opened: 5, failedToOpen: 5 } }).errorRate, 0.05)
  })
})

describe("the thresholds of a pool", () => {
  const judge = (thresholds: PoolThresholds.PoolThresholdOptions, given: Given) => {
    const config = Effect.runSync(PoolConfig.make(db, "app/Db", { thresholds }))
    return PoolHealth.assess(statsOf(given), config).warnings.map(({ about, message }) => `${about}: ${message}`)
  }
  const busy: Given = {
    used: 17,
    utilization: 85,
    pending: 11,
    oldestWaiter: 5,
    wait: { ...wait, mean: 90, p95: 90 },
    counts: { acquiredAtOnce: 96, timedOut: 2, opened: 2, validated: 100, failedToValidate: 2 }
  }

  it("are calm by default, and strict where that is wanted", () => {
    assert.deepStrictEqual(judge("calm", busy), [])
    assert.deepStrictEqual(judge("strict", busy), [
      "utilization: 17 of 20 connections are lent, which is above 80 %",
      "queue: 11 callers wait for at most 20 connections, above 10, the first for 5 ms",
      "failures: 2 % of 100 acquisitions and dials of the last 60 s failed, above 1 %",
      "validation: 2 % of 100 validations of the last 60 s failed, above 1 %"
    ])
  })

  it("are each what was given, and calm's where nothing was", () => {
    assert.deepStrictEqual(judge({ utilization: 84 }, busy).length, 1)
    assert.deepStrictEqual(judge({ queue: 10 }, busy).length, 1)
    assert.deepStrictEqual(judge({ queue: 11, utilization: 85, errorRate: 0.02, wait: 90 }, busy), [])
    assert.deepStrictEqual(judge({ wait: "89 millis" }, busy), [
      "wait: the mean wait for a connection is 90 ms, above 89 ms, over 20 leases of the last 60 s"
    ])
    assert.deepStrictEqual(judge({ errorRate: 0.01 }, busy).length, 2)
  })

  it("are the two documents' numbers", () => {
    assert.deepStrictEqual(PoolThresholds.presets, {
      calm: { utilization: 90, queue: "limit", wait: 100, errorRate: 0.05 },
      strict: { utilization: 80, queue: 10, wait: 100, errorRate: 0.01 }
    })
  })
})

import type { MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Past } from "../src/internal/past.ts"

const sample = (at: number, given: Partial<MonitoringApi.Sample> = {}): MonitoringApi.Sample => ({
  at,
  state: "open",
  status: "healthy",
  breaker: "closed",
  cause: null,
  used: 0,
  idle: 0,
  pending: 0,
  opening: 0,
  total: 0,
  limit: 1,
  acquireRate: 0,
  failureRate: 0,
  wait: null,
  ...given
})

const times = (samples: ReadonlyArray<MonitoringApi.Sample>) => samples.map(({ at }) => at)

describe("the readings of long ago", () => {
  it("are one of many, the one in which most was wrong, and as many as were asked for", () => {
    const past = new Past(5, 3)
    for (let at = 1; at <= 25; at++) past.add(sample(at, at === 13 ? { status: "unhealthy" } : {}))
    assert.deepStrictEqual(times(past.before([])), [13, 16, 21])
  })

  it("end where the readings of the last minutes begin", () => {
    const past = new Past(2, 10)
    for (let at = 1; at <= 6; at++) past.add(sample(at))
    assert.deepStrictEqual(times(past.before([sample(4), sample(5), sample(6)])), [1, 3, 4, 5, 6])
  })
})

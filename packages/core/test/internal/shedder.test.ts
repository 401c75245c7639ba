import { assert, describe, it } from "@effect/vitest"
import { lotOf, Shedder } from "../../src/internal/line/shedder.ts"
import type { Priority } from "../../src/internal/model/traffic.ts"

const numbers = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Caller {
  readonly priority: Priority
  readonly lot: number
  readonly at: number
}

/**
 * Ten connections, leases of 100 ms, callers that give up after a second: how much of the capacity is useful work, how
 * many of each priority are served, and the waits of those with a high one.
 */
const overload = (
  load: number,
  { mix = () => "normal", sheds = true, seconds = 60 }: {
    readonly mix?: (chance: number) => Priority
    readonly sheds?: boolean
    readonly seconds?: number
  }
) => {
  const chance = numbers(42)
  const shedder = new Shedder({ target: 20, interval: 100 }, 0)
  const queues: Record<Priority, Array<Caller>> = { high: [], normal: [], low: [] }
  const busyUntil = Array.from({ length: 10 }, () => 0)
  const came = { high: 0, normal: 0, low: 0 }
  const served = { high: 0, normal: 0, low: 0 }
  const highWaits: Array<number> = []
  let debt = 0
  const next = (): Caller | undefined => queues.high.shift() ?? queues.normal.shift() ?? queues.low.shift()
  for (let now = 0; now < seconds * 1000; now++) {
    for (debt += load * 0.1; debt >= 1; debt--) {
      const priority = mix(chance())
      came[priority]++
      const lot = chance()
      if (!sheds || !shedder.refuses(priority, lot)) queues[priority].push({ priority, lot, at: now })
    }
    for (const [index, until] of busyUntil.entries()) {
      if (until > now) continue
      const caller = next()
      if (caller === undefined) break
      shedder.served(caller.priority, now - caller.at)
      busyUntil[index] = now + 100
      if (now + 100 - caller.at <= 1000) served[caller.priority]++
      if (caller.priority === "high") highWaits.push(now - caller.at)
    }
    const isMore = shedder.turn(now, (priority) => queues[priority][0] === undefined ? 0 : now - queues[priority][0].at)
    if (!sheds || !isMore) continue
    for (const each of ["normal", "low"] as const) {
      queues[each] = queues[each].filter(({ lot }) => lot >= shedder.refusedOf(each))
    }
  }
  const useful = (served.high + served.normal + served.low) / (100 * seconds)
  return { useful, came, served, highWaits: highWaits.toSorted((a, b) => a - b), shedder }
}

describe("Shedder", () => {
  it("keeps nine tenths of the capacity useful at twice and at four times of it, where most of it was wasted", () => {
    for (const load of [2, 4]) {
      const without = overload(load, { sheds: false })
      const { useful } = overload(load, {})
      assert.isBelow(without.useful, 0.4)
      assert.isAbove(useful, 0.9, `at ${load} times the capacity`)
    }
  })

  it("refuses nobody when the pool keeps up, nor in a burst that it works off", () => {
    const { served, came } = overload(0.8, {})
    assert.isAtLeast(served.normal, came.normal - 10)
    const shedder = new Shedder({ target: 20, interval: 100 }, 0)
    shedder.served("normal", 500)
    shedder.served("normal", 10)
    assert.isFalse(shedder.turn(100, () => 0))
    assert.isFalse(shedder.isShedding)
  })

  it("refuses low callers before normal ones, and high ones never", () => {
    const { came, highWaits, served, shedder } = overload(2, {
      mix: (chance) => chance < 0.2 ? "high" : chance < 0.5 ? "normal" : "low"
    })
    assert.strictEqual(served.high, came.high)
    assert.isBelow(highWaits[Math.floor(highWaits.length * 0.99)]!, 100)
    assert.isAbove(served.normal / came.normal, 0.75)
    assert.isBelow(served.low / came.low, 0.5)
    assert.strictEqual(shedder.refusedOf("high"), 0)
  })

  it("never refuses all of a priority, and stops when the overload is over", () => {
    const shedder = new Shedder({ target: 20, interval: 100 }, 0)
    for (let now = 100; now <= 10_000; now += 100) {
      shedder.refuses("low", 1)
      shedder.turn(now, () => 1000)
    }
    assert.isAtMost(shedder.refusedOf("normal"), 0.95)
    assert.isAtMost(shedder.refusedOf("low"), 0.95)
    for (let now = 10_100; now <= 30_000; now += 100) shedder.turn(now, () => 0)
    assert.isFalse(shedder.isShedding)
  })

  it("draws the same lot for the same name within an hour, and spreads names evenly", () => {
    assert.strictEqual(lotOf("tenant-1", 5), lotOf("tenant-1", 5))
    assert.notStrictEqual(lotOf("tenant-1", 5), lotOf("tenant-1", 6))
    const lots = Array.from({ length: 1000 }, (_, index) => lotOf(`tenant-${index}`, 5))
    for (const part of [0.1, 0.25, 0.5, 0.75]) {
      assert.closeTo(lots.filter((lot) => lot < part).length / 1000, part, 0.05)
    }
  })
})

/**
 * The climb against simulated servers: what a server gives at each size is a formula, so a minute takes a millisecond.
 */
import { assert, describe, it } from "@effect/vitest"
import { HillClimb } from "../../src/internal/sizing/hillClimb.ts"
import type { Look } from "../../src/internal/sizing/window.ts"

interface Server {
  /** Leases a second that it gives with so many connections, at that second. */
  readonly rate: (size: number, second: number) => number
  /** Leases a second that callers want. */
  readonly wanted?: (second: number) => number
  /** The part of the operations that it fails. */
  readonly fails?: (size: number, second: number) => number
}

/** Chance that is the same in each run. */
const chance = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return (seed + 0.5) / 2 ** 32
}

/** As many as come by chance where so many are to be expected. */
const poisson = (expected: number, random: () => number): number =>
  Math.max(
    0,
    Math.round(expected + Math.sqrt(expected) * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()))
  )

interface Options {
  readonly start: number
  readonly min?: number
  readonly max?: number
  readonly mayMove?: boolean
  readonly seed?: number
  /** Milliseconds between two looks. */
  readonly every?: number
}

class Simulation {
  readonly climb: HillClimb
  readonly sizes: Array<number> = []
  served = 0
  now = 0
  private readonly server: Server
  private readonly every: number
  private readonly random: () => number
  private sums = { waited: 0, ended: 0, failedOperations: 0, interrupted: 0 }
  ceiling: number

  constructor(server: Server, options: Options) {
    const { every = 100, max = 100, mayMove = true, min = 1, seed = 1, start } = options
    this.server = server
    this.every = every
    this.ceiling = max
    this.random = chance(seed)
    this.climb = new HillClimb({ min, max, start, mayMove })
  }

  run(seconds: number): this {
    for (let tick = 0; tick < seconds * 1000 / this.every; tick++) this.tick()
    return this
  }

  private get limit(): number {
    return Math.min(this.ceiling, this.climb.size)
  }

  private tick(): void {
    this.now += this.every
    const second = this.now / 1000
    const { limit } = this
    const possible = this.server.rate(limit, second)
    const wanted = this.server.wanted?.(second) ?? Infinity
    const isSaturated = wanted > possible
    const ended = poisson(Math.min(possible, wanted) * this.every / 1000, this.random)
    this.served += ended
    this.sums.ended += ended
    this.sums.failedOperations += Math.round(ended * (this.server.fails?.(limit, second) ?? 0))
    if (isSaturated) this.sums.waited += ended
    const seen: Look = {
      now: this.now,
      limit,
      live: limit,
      used: isSaturated ? limit : Math.floor(limit * wanted / possible),
      pending: isSaturated ? 5 : 0,
      ...this.sums
    }
    const { size } = this.climb
    this.climb.look(seen, this.ceiling)
    if (this.climb.size !== size) this.climb.moved({ ...seen, limit: this.limit })
    this.sizes.push(this.limit)
  }

  /** The sizes of the last seconds. */
  last(seconds: number): ReadonlyArray<number> {
    return this.sizes.slice(-seconds * 1000 / this.every)
  }
}

const mean = (all: ReadonlyArray<number>): number => all.reduce((sum, each) => sum + each, 0) / all.length

/** A server that does no more with more than 20 connections, and with many of them less. */
const knee = (size: number): number => 100 * Math.min(size, 20) * Math.min(1, 20 / size) ** 0.1

const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

describe("hill climbing on throughput", () => {
  it.each([5, 100, 20, 1])("from %i connections finds the knee at 20 within a minute and stays at it", (start) => {
    for (const seed of seeds) {
      const simulation = new Simulation({ rate: knee }, { start, seed }).run(60)
      const found = mean(simulation.last(10))
      assert.isTrue(found >= 16 && found <= 24, `seed ${seed}: ${found}`)
      simulation.served = 0
      simulation.run(300)
      assert.isAbove(simulation.served / (300 * knee(20)), 0.95, `seed ${seed}`)
      const later = mean(simulation.last(300))
      assert.isTrue(later >= 16 && later <= 24, `seed ${seed}, later: ${later}`)
    }
  })

  it("does not climb on a server that merely slows down", () => {
    for (const seed of seeds) {
      const slows = (size: number, second: number) =>
        knee(size) * (second < 60 ? 1 : Math.max(0.2, 1 - (second - 60) / 60))
      const simulation = new Simulation({ rate: slows }, { start: 20, seed }).run(60)
      simulation.run(120)
      assert.isAtMost(Math.max(...simulation.last(120)), 30, `seed ${seed}`)
      assert.isAtMost(mean(simulation.last(30)), 24, `seed ${seed}`)
    }
  })

  it("follows a knee that moves", () => {
    for (const seed of seeds) {
      const moves = (size: number, second: number) => 100 * Math.min(size, second < 100 ? 20 : 40)
      const simulation = new Simulation({ rate: moves }, { start: 20, seed }).run(200)
      const found = mean(simulation.last(20))
      assert.isTrue(found >= 32 && found <= 48, `seed ${seed}: ${found}`)
    }
  })

  it("finds the knee under a load that drifts", () => {
    for (const seed of seeds) {
      const drifts = (size: number, second: number) => knee(size) * (1 + 0.3 * Math.sin(second / 20))
      const simulation = new Simulation({ rate: drifts }, { start: 5, seed }).run(300)
      const found = mean(simulation.last(100))
      assert.isTrue(found >= 15 && found <= 25, `seed ${seed}: ${found}`)
    }
  })

  it("a slow pool with five leases a second takes longer windows, and finds its size as well", () => {
    for (const seed of seeds) {
      const slow = (size: number) => Math.min(size, 10) / 2
      const simulation = new Simulation({ rate: slow }, { start: 40, seed, max: 40, every: 1_000 }).run(3_600)
      const found = mean(simulation.last(900))
      assert.isTrue(found >= 7 && found <= 15, `seed ${seed}: ${found}`)
    }
  })

  it("leaves the size alone for an hour without saturation", () => {
    for (const wanted of [0, 5, 1_000, 1_750]) {
      const simulation = new Simulation({ rate: knee, wanted: () => wanted }, { start: 20, every: 1_000 }).run(3_600)
      assert.deepStrictEqual(Array.from(new Set(simulation.sizes)), [20])
    }
    const few = new Simulation({ rate: (size) => size / 10 }, { start: 10, every: 1_000 }).run(3_600)
    assert.deepStrictEqual(Array.from(new Set(few.sizes)), [10])
    assert.include(few.climb.why, "too few leases")
  })

  it("keeps one more connection if nobody waits any more, and takes it back if the load has gone", () => {
    const met = new Simulation({ rate: (size) => 100 * size, wanted: () => 1_050 }, { start: 10 }).run(60)
    assert.deepStrictEqual(Array.from(new Set(met.sizes)), [10, 11])
    const gone = new Simulation({ rate: (size) => 100 * size, wanted: (second) => second < 1.2 ? 2_000 : 10 }, {
      start: 10
    })
      .run(60)
    assert.strictEqual(gone.climb.size, 10)
  })

  it("goes down by a tenth when leases fail for the backend, and no more for those that always do", () => {
    const fails = (_: number, second: number) => second < 20 ? 0 : 0.3
    const simulation = new Simulation({ rate: () => 2_000, fails }, { start: 20, min: 18 }).run(20)
    const before = mean(simulation.last(2))
    simulation.run(5)
    assert.isBelow(simulation.climb.size, before + 0.001)
    const usual = new Simulation({ rate: knee, fails: () => 0.1 }, { start: 20 }).run(120)
    assert.isAtLeast(mean(usual.last(30)), 15)
  })

  it("tells nothing of a size while the backend fails everything, and says so", () => {
    const fails = (_: number, second: number) => second < 20 ? 0 : 1
    const simulation = new Simulation({ rate: () => 2_000, fails }, { start: 20, max: 20 })
    simulation.run(20)
    const before = simulation.climb.size
    const said = new Set<string>()
    for (let second = 0; second < 60; second++) said.add(simulation.run(1).climb.why)
    assert.isAtLeast(simulation.climb.size, Math.floor(0.7 * before), Array.from(said).join("\n"))
    assert.notMatch(Array.from(said).join(), /NaN|Infinity/)
    assert.include(simulation.climb.why, "no lease ended well")
  })

  it("stays within its range and below the ceiling that others set", () => {
    const climbs = new Simulation({ rate: (size) => 100 * size }, { start: 5, min: 5, max: 12 }).run(60)
    assert.deepStrictEqual([Math.min(...climbs.sizes), Math.max(...climbs.sizes)], [5, 12])
    const flat = new Simulation({ rate: () => 1_000 }, { start: 12, min: 5, max: 12 }).run(60)
    assert.strictEqual(Math.min(...flat.sizes), 5)
    const held = new Simulation({ rate: (size) => 100 * size }, { start: 5, max: 50 })
    held.ceiling = 8
    held.run(60)
    assert.strictEqual(held.climb.size, 8)
    held.ceiling = 50
    held.run(60)
    assert.isAbove(held.climb.size, 30)
  })

  it("that only advises never moves, and tells what it would try", () => {
    const simulation = new Simulation({ rate: knee }, { start: 10, mayMove: false }).run(60)
    assert.deepStrictEqual(Array.from(new Set(simulation.sizes)), [10])
    assert.strictEqual(simulation.climb.next, 11)
    assert.match(simulation.climb.why, /^callers wait at 10 \(\d+ leases a second\): would try 11$/)
  })
})

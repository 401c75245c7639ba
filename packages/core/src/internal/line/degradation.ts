/**
 * Judges second by second how much a pool must give up so that what matters most is served: its level of degradation.
 *
 * - 0: nothing
 * - 1: low callers are refused
 * - 2: equal reads may be answered together, and replicas may be staler; both are done by who reads the level
 * - 3: normal callers wait for a moment only
 * - 4: high callers only
 *
 * One level up after a bad second, one down after ten good ones. A level whose descent turns out to be wrong is left after
 * six times as many good seconds the next time, up to five minutes: in steady overload the level does not flap. Low callers
 * that fail are no reason to refuse the others, and normal ones that fail are no reason to refuse all of them: the pool would
 * idle. So the last level is for high callers that fail.
 */
import type { Level } from "../model/traffic.ts"

const highest: Level = 4

/** From here on failing normal callers hold the level, and failing high ones alone raise it. */
const forHighAlone: Level = 3

/** How many good seconds let the level down, at first and at most. */
const patience = { first: 10, most: 300, factor: 6 } as const

/** How many seconds tell whether a descent was wrong, beside those that a caller waits before it fails. */
const probation = 10

/** The part of callers that must fail in a second for it to be bad, and how many at least. */
const bad = { share: 0.05, least: 3 } as const

/** The callers of a priority in a second. Those that the level itself refused are in neither number. */
interface Turnout {
  /** Callers that were served, or that failed. */
  readonly asked: number
  /** Callers whose turn did not come in time, or for whom there was no place. */
  readonly failed: number
}

export interface Second {
  readonly high: Turnout
  readonly normal: Turnout
}

const isBad = (...turnouts: ReadonlyArray<Turnout>): boolean => {
  let asked = 0
  let failed = 0
  for (const turnout of turnouts) {
    asked += turnout.asked
    failed += turnout.failed
  }
  return failed >= bad.least && failed > bad.share * asked
}

export class Degradation {
  level: Level = 0
  private good = 0
  private needed: number = patience.first
  private sinceDescent = Infinity
  private readonly probation: number

  /** How many seconds a caller may wait before it fails, so that a wrong descent shows as late as that. */
  constructor(longestWait: number) {
    this.probation = probation + longestWait
  }

  /** How many good seconds are missing until the level falls. */
  get left(): number {
    return this.needed - this.good
  }

  /** Judges a second; `true` when the level has changed. */
  turn({ high, normal }: Second): boolean {
    this.sinceDescent++
    if (isBad(high)) return this.rise()
    if (!isBad(high, normal)) return this.relax()
    if (this.level < forHighAlone) return this.rise()
    this.good = 0
    return false
  }

  private rise(): boolean {
    this.good = 0
    if (this.level === highest) return false
    if (this.sinceDescent <= this.probation) this.needed = Math.min(patience.most, this.needed * patience.factor)
    this.level = (this.level + 1) as Level
    return true
  }

  private relax(): boolean {
    if (++this.good < this.needed) return false
    this.good = 0
    if (this.level === 0) {
      this.needed = patience.first
      return false
    }
    this.level = (this.level - 1) as Level
    this.sinceDescent = 0
    return true
  }
}

/**
 * Sheds load: when callers of a priority wait longer than `target` all through an interval, newcomers are refused, the low
 * ones first and then a part of the normal ones, so that the others are served in time.
 *
 * An interval is judged by its *shortest* wait, so a burst that the pool works off is no overload; and each priority by
 * itself, since the high ones are always served at once. Whom a part of a priority is refused is told by a lot that a
 * caller keeps: its `fairKey`, or the trace it belongs to, so that a request of several leases is served whole or refused
 * whole. Never all of a priority are refused: those that are let in show when the overload is over.
 */
import { priorities, type Priority } from "../model/traffic.ts"

interface SheddingRules {
  /** The wait in milliseconds that is no overload. */
  readonly target: number
  /** For how long the shortest wait must be above it, in milliseconds. */
  readonly interval: number
}

/** The most of a priority that is refused. */
export const most = 0.95

/** How much more is refused than the numbers say, after each bad interval: the line that is there already must go too. */
const extra = 0.01

/** How much less is refused after a good interval. */
const relief = 0.02

/** How much an interval counts in the mean of arrivals and of callers served. */
const weight = 0.2

/** The priorities that may be refused, in this order. */
type Shed = "low" | "normal"

/** The arrivals and waits of a priority, in the interval that runs and before. */
class Window {
  arrived = 0
  served = 0
  /** The shortest wait of those served. */
  shortest = Infinity
  /** Means for an interval. */
  meanArrived = 0
  meanServed = 0

  turn(): void {
    this.meanArrived += weight * (this.arrived - this.meanArrived)
    this.meanServed += weight * (this.served - this.meanServed)
    this.arrived = 0
    this.served = 0
    this.shortest = Infinity
  }
}

export class Shedder {
  private readonly rules: SheddingRules
  private readonly windows: Readonly<Record<Priority, Window>> = {
    high: new Window(),
    normal: new Window(),
    low: new Window()
  }
  private readonly refused: Record<Shed, number> = { low: 0, normal: 0 }
  private turnsAt: number

  constructor(rules: SheddingRules, now: number) {
    this.rules = rules
    this.turnsAt = now + rules.interval
  }

  /** The part of a priority that is refused now, from 0 to 1. */
  refusedOf(priority: Priority): number {
    return priority === "high" ? 0 : this.refused[priority]
  }

  get isShedding(): boolean {
    return this.refused.low > 0 || this.refused.normal > 0
  }

  /** Whether a caller that comes now is refused. Its `lot` is from 0 to 1. */
  refuses(priority: Priority, lot: number): boolean {
    this.windows[priority].arrived++
    return lot < this.refusedOf(priority)
  }

  served(priority: Priority, waited: number): void {
    const window = this.windows[priority]
    window.served++
    if (waited < window.shortest) window.shortest = waited
  }

  /**
   * Judges the interval if it is over, by what was served in it and by how long the oldest of a priority waits now;
   * `true` when more is to be refused than before.
   */
  turn(now: number, oldest: (priority: Priority) => number): boolean {
    if (now < this.turnsAt) return false
    this.turnsAt = now + this.rules.interval
    const isLate = (priority: Priority): boolean => {
      const { shortest } = this.windows[priority]
      // When nobody was served, the oldest that still waits tells.
      return (shortest === Infinity ? oldest(priority) : shortest) > this.rules.target
    }
    const isPressing = isLate("high") || isLate("normal")
    const isLowLate = isLate("low")
    for (const priority of priorities) this.windows[priority].turn()
    return this.adapt(isPressing, isLowLate)
  }

  private adapt(isPressing: boolean, isLowLate: boolean): boolean {
    const { high, low, normal } = this.windows
    const capacity = high.meanServed + normal.meanServed + low.meanServed
    const forNormal = Math.max(0, capacity - high.meanArrived)
    const forLow = Math.max(0, forNormal - normal.meanArrived)
    // Refusing low callers helps those above them, as long as there are enough to refuse.
    const canLowHelp = low.meanArrived > 0.05 * normal.meanArrived && this.refused.low < most
    const isLowMore = (isLowLate || (isPressing && canLowHelp)) && this.raise("low", 1 - forLow / low.meanArrived)
    const isNormalMore = isPressing && !canLowHelp && this.raise("normal", 1 - forNormal / normal.meanArrived)
    if (!isPressing) this.lower("normal")
    if (!isPressing && !isLowLate && this.refused.normal === 0) this.lower("low")
    return isLowMore || isNormalMore
  }

  /**
   * Refuses as much as the numbers say is too much. They say it only in a bad interval, in which the pool was busy all the
   * time: what it served then is what it can serve.
   */
  private raise(priority: Shed, excess: number): boolean {
    const before = this.refused[priority]
    this.refused[priority] = Math.min(most, Math.max(before, Number.isFinite(excess) ? excess : 0) + extra)
    return this.refused[priority] > before
  }

  private lower(priority: Shed): void {
    this.refused[priority] = Math.max(0, this.refused[priority] - relief)
  }
}

/** The lot of a caller, from 0 to 1, which it keeps for an hour: nobody is refused for ever. (FNV-1a.) */
export const lotOf = (name: string, hour: number): number => {
  let hash = 0x811c9dc5 ^ hour
  for (let at = 0; at < name.length && at < 200; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  // The last bits of a short name vary most: they are spread over the number.
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}

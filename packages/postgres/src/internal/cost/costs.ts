/**
 * How long statements take: by what was observed of them, else by what the planner thinks.
 */

import type { HeavyRules } from "./model.ts"

/**
 * The cost of a statement.
 *
 * @category models
 * @since 0.1.0
 */
export interface StatementCost {
  /**
   * - `observed`: from its last runs
   * - `planned`: it has not run often enough, and the planner was asked
   * - `unknown`: the planner has no answer for it, such as for `CREATE TABLE`
   */
  readonly source: "observed" | "planned" | "unknown"
  /** The time that 95 % of its last runs did not exceed, in milliseconds; `undefined` before the twentieth. */
  readonly p95: number | undefined
  /** Runs that were observed, the last 32 at most. */
  readonly runs: number
  /** The planner's total cost of it, in units of its own; `undefined` if it was not asked. */
  readonly planned: number | undefined
  /** Whether it goes to the lane for heavy statements. */
  readonly isHeavy: boolean
}

/** A statement that runs. */
export interface Run {
  readonly since: number
  /** Whether it has a turn of the lane. */
  readonly isInLane: boolean
}

interface Known {
  /** A ring of durations in milliseconds. */
  readonly durations: Array<number>
  /** The oldest first. */
  readonly running: Set<Run>
  at: number
  planned: { readonly cost: number | undefined; readonly until: number } | undefined
}

const kept = 32
const enough = 20
/** So few runs tell that a statement is heavy only if each was. */
const few = 3
const most = 500
const planLifetime = 600_000

export class Costs {
  private readonly known = new Map<string, Known>()
  private readonly rules: HeavyRules

  constructor(rules: HeavyRules) {
    this.rules = rules
  }

  begin(text: string, isInLane: boolean, now: number): Run {
    const run = { since: now, isInLane }
    this.of(text).running.add(run)
    return run
  }

  /** One that failed or was left says what it takes only if that is long. */
  end(text: string, run: Run, isDone: boolean, now: number): void {
    const known = this.of(text)
    known.running.delete(run)
    const took = now - run.since
    if (!isDone && took < this.rules.above) return
    known.durations[known.at] = took
    known.at = (known.at + 1) % kept
  }

  /** Heavy statements that run without a turn of the lane, since nobody knew of them when they began. */
  outside(now: number): number {
    let count = 0
    for (const { running } of this.known.values()) {
      for (const run of running) if (!run.isInLane && this.isLong(run, now)) count++
    }
    return count
  }

  private isLong({ since }: Run, now: number): boolean {
    return now - since >= this.rules.above
  }

  /** Whether the planner is to be asked. */
  wants(text: string, now: number): boolean {
    const { durations, planned } = this.of(text)
    return durations.length < enough && (planned === undefined || planned.until <= now)
  }

  planned(text: string, cost: number | undefined, now: number): void {
    this.of(text).planned = { cost, until: now + planLifetime }
  }

  read(text: string, now: number): StatementCost {
    const { durations, planned, running } = this.of(text)
    const runs = durations.length
    // Those that run for long already tell as much as if they had ended.
    let long = 0
    if (runs < enough) { for (const run of running) if (this.isLong(run, now)) long++ }
    const ordered = durations.toSorted((a, b) => a - b)
    const p95 = runs >= enough ? ordered[Math.ceil(runs * 0.95) - 1] : undefined
    const cost = planned?.cost
    const isHeavy = p95 === undefined
      ? (cost ?? 0) >= this.rules.plannedAbove || (runs + long >= few && (ordered[0] ?? Infinity) >= this.rules.above)
      : p95 >= this.rules.above
    return {
      source: p95 !== undefined ? "observed" : cost !== undefined ? "planned" : "unknown",
      p95,
      runs,
      planned: cost,
      isHeavy
    }
  }

  /** The one that was used longest ago is forgotten for a new one. */
  private of(text: string): Known {
    let known = this.known.get(text)
    if (known === undefined) {
      known = { durations: [], running: new Set(), at: 0, planned: undefined }
      const oldest = this.known.size >= most ? this.known.keys().next().value : undefined
      if (oldest !== undefined) this.known.delete(oldest)
    } else this.known.delete(text)
    this.known.set(text, known)
    return known
  }
}

/**
 * Callers that a pool refuses so that others are served: by its level of degradation, by shedding, and by the budget of
 * retries.
 *
 * Never all callers of a priority are refused: those that are let in show when the overload is over.
 */
import { Overloaded } from "../../PoolError.ts"
import type { Level, Priority, Said, TrafficConfig } from "../model/traffic.ts"
import { Degradation } from "./degradation.ts"
import type { Lease } from "./lease.ts"
import type { Overload } from "./order.ts"
import { RetryBudget } from "./retryBudget.ts"
import { most, Shedder } from "./shedder.ts"

interface RefusingOptions {
  readonly traffic: TrafficConfig
  readonly acquireTimeout: number
  readonly now: () => number
  readonly said: (lease: Lease) => Said
  /** From 0 to 1, the same for callers that are refused together. */
  readonly lot: (lease: Lease) => number
  /** How long the oldest of a priority has waited. */
  readonly oldest: (priority: Priority, now: number) => number
}

/** When a caller that was refused may try again, in milliseconds: the next second may be a better one. */
const retryAfter = 1000

const noTurnout = (): Record<Priority, { asked: number; failed: number }> => ({
  high: { asked: 0, failed: 0 },
  normal: { asked: 0, failed: 0 },
  low: { asked: 0, failed: 0 }
})

export class Refusing implements Overload {
  private readonly options: RefusingOptions
  private readonly shedder: Shedder | undefined
  private readonly judge: Degradation | undefined
  private readonly budget: RetryBudget | undefined
  private manual: Level | undefined = undefined
  /** The second that runs. */
  private turnout = noTurnout()

  constructor(options: RefusingOptions) {
    const { degradation, retryBudget, shedAfter } = options.traffic
    this.options = options
    if (shedAfter < Infinity) this.shedder = new Shedder({ target: shedAfter, interval: 5 * shedAfter }, options.now())
    if (degradation === "auto") this.judge = new Degradation(options.acquireTimeout / 1000)
    if (retryBudget < Infinity) this.budget = new RetryBudget(retryBudget)
  }

  get level(): Level {
    return this.manual ?? this.judge?.level ?? 0
  }

  get isManual(): boolean {
    return this.manual !== undefined
  }

  setLevel(level: Level | "auto"): void {
    this.manual = level === "auto" ? undefined : level
  }

  turnSecond(): void {
    const { turnout } = this
    this.turnout = noTurnout()
    this.judge?.turn(turnout)
  }

  /** The part that is shed, beside what the level refuses. */
  get shed(): Readonly<Record<"normal" | "low", number>> {
    return { normal: this.shedder?.refusedOf("normal") ?? 0, low: this.shedder?.refusedOf("low") ?? 0 }
  }

  /** The part of a priority that is refused, by whatever. */
  refusedOf(priority: Priority): number {
    return Math.max(this.refusedByLevel(priority), this.shedder?.refusedOf(priority) ?? 0)
  }

  turn(now: number): boolean {
    return this.shedder?.turn(now, (priority) => this.options.oldest(priority, now)) ?? false
  }

  /** Whether a caller is refused although a connection is at hand. */
  refusesAtOnce(lease: Lease): boolean {
    const { isRetry, priority } = this.options.said(lease)
    return (isRetry && this.budget?.isSpent === true) || this.isRefusedByLevel(lease, priority)
  }

  /** Why a newcomer is refused that would have to wait. */
  refusalOf(lease: Lease): Overloaded | undefined {
    const { isRetry, priority } = this.options.said(lease)
    if (isRetry && this.budget?.isSpent === true) return this.overloaded(priority, "retries")
    if (this.isRefusedByLevel(lease, priority)) return this.overloaded(priority, "degradation")
    if (this.shedder?.refuses(priority, this.options.lot(lease)) !== true) return undefined
    this.failed(lease)
    return this.overloaded(priority, "wait")
  }

  /** Why one that waits already is refused. */
  refusal(lease: Lease): Overloaded | undefined {
    const { priority } = this.options.said(lease)
    if (this.isRefusedByLevel(lease, priority)) return this.overloaded(priority, "degradation")
    const part = this.shedder?.refusedOf(priority) ?? 0
    if (part === 0 || this.options.lot(lease) >= part) return undefined
    this.failed(lease)
    return this.overloaded(priority, "wait")
  }

  /** A caller was let into the queue. */
  entered({ isRetry }: Said): void {
    if (isRetry) this.budget?.retried()
  }

  /** A caller got its connection. */
  served(lease: Lease): void {
    const said = this.options.said(lease)
    const isAtOnce = lease.resume === undefined
    if (isAtOnce) this.entered(said)
    this.turnout[said.priority].asked++
    this.shedder?.served(said.priority, isAtOnce ? 0 : lease.lentAt - lease.since)
  }

  succeeded(): void {
    this.budget?.succeeded()
  }

  failed(lease: Lease): void {
    const turnout = this.turnout[this.options.said(lease).priority]
    turnout.asked++
    turnout.failed++
  }

  private refusedByLevel(priority: Priority): number {
    const { level } = this
    if (priority === "low") return level >= 1 ? most : 0
    return priority === "normal" && level >= 4 ? most : 0
  }

  private isRefusedByLevel(lease: Lease, priority: Priority): boolean {
    const part = this.refusedByLevel(priority)
    return part > 0 && this.options.lot(lease) < part
  }

  private overloaded(priority: Priority, because: Overloaded["because"]): Overloaded {
    const seconds = because === "degradation" && !this.isManual ? this.judge?.left ?? 1 : 1
    return new Overloaded({
      priority,
      because,
      level: this.level,
      refused: this.refusedOf(priority),
      retryAfter: seconds * retryAfter
    })
  }
}

/**
 * The part of a budget that a process has, where processes share it through a store.
 *
 * The process reports what it holds and wants: every 5 seconds, when it wants more, and when it has closed what it was told
 * to give up. It grows by the store's word alone, and counts what it was told to give up until the sockets are closed. All
 * its times are of its own steady clock.
 *
 * While the store is away it keeps what it was granted last, which all know of. When its lease is over by its own clock,
 * a second before the store may have given its part to others, it opens no more than its even part of the total, but the
 * floors of its pools in any case.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Latch from "effect/Latch"
import type * as Random from "effect/Random"
import type { BudgetProcess } from "../model/budget.ts"
import { describeCause } from "../../Describe.ts"
import { limited } from "../base/limited.ts"
import { lease } from "./fleetScript.ts"
import { type Ledger, mostShown } from "./ledger.ts"
import type { Answer, Report, Store } from "./store.ts"

/** In milliseconds. Each is shortened by up to a fifth, so that a fleet that began at once does not speak at once. */
const reportEvery = 5_000
/** A report follows another no sooner. */
const soon = 50
/**
 * Load often comes to all processes of a fleet at once. Those of a large one ask for more within a time in which each has so
 * many milliseconds, which is how often the store reckons the shares anew.
 */
const large = 64
const spreadEach = 0.5
const lookEvery = 1_000
/** The longest wait for an answer. */
const answerWithin = 1_000
const leaseHere = lease - 1_000
/** The delays between attempts while the store is away: all must have reported within the store's time to learn. */
const firstRetry = 1_000
const longestRetry = 4_000

/** How many processes are told of. */
const mostTold = 100
/** Readers that looked at the budget within this time are shown its processes, in milliseconds. */
const lookedLately = 15_000

export interface FleetOptions {
  readonly total: number
  readonly id: string
  readonly label: string
}

export class Fleet {
  private readonly ledger: Ledger
  private readonly store: Store
  private readonly options: FleetOptions
  private readonly now: () => number
  private readonly random: typeof Random.Random.Service
  private readonly wake = Latch.makeUnsafe(false)
  private sequence = 0
  private members = 1
  private isKnown = false
  private sentAt = -Infinity
  private reported = 0
  private regularAt = 0
  private mayAskAt = 0
  /** When a process that has become short of connections asks for more. */
  private asksAt: number | undefined = undefined
  private leaseUntil = -Infinity
  /** When the store was lost, and how often it was asked since. */
  private lostAt: number | undefined = undefined
  private attempts = 0
  private toldTotal: number

  constructor({ ledger, now, options, random, store }: {
    readonly ledger: Ledger
    readonly store: Store
    readonly options: FleetOptions
    readonly now: () => number
    readonly random: typeof Random.Random.Service
  }) {
    this.ledger = ledger
    this.store = store
    this.options = options
    this.now = now
    this.random = random
    this.toldTotal = options.total
    ledger.around = { store: "shared", total: options.total, processes: 1, othersHold: 0 }
    ledger.allow(0)
    ledger.onHungry = ledger.onFreed = () => this.wake.openUnsafe()
  }

  /** Reports for as long as it runs. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.suspend(() => {
      if (this.lostAt !== undefined) this.makeDo()
      const wait = this.dueAt() - this.now()
      if (wait <= 0) return this.report
      return Effect.andThen(
        Effect.raceFirst(Effect.sleep(Math.ceil(Math.min(wait, lookEvery))), this.wake.await),
        Effect.sync(() => this.wake.closeUnsafe())
      )
    }))
  }

  /** One report, whatever becomes of it. */
  get report(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.sentAt = this.now()
      this.asksAt = undefined
      const report = this.reportOf(false)
      this.reported = report.holds
      return Effect.flatMap(
        Effect.exit(within(() => this.store.report(report))),
        (exit) => Exit.isSuccess(exit) ? this.answered(report, exit.value) : this.failed(Cause.squash(exit.cause))
      )
    })
  }

  /** The last word: what this process held is free. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.ignore(within(() => this.store.report(this.reportOf(true)))))
  }

  /** The processes that share the budget, as the store knows them. */
  get processes(): Effect.Effect<ReadonlyArray<BudgetProcess>, unknown> {
    return Effect.map(
      within(() => this.store.processes(mostTold)),
      (all) => all.map((each) => ({ ...each, isSelf: each.id === this.options.id }))
    )
  }

  /** Reads who shares the budget, as long as somebody looks at it. */
  private get show(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.now() - this.ledger.lookedAt > lookedLately) return Effect.void
      return Effect.match(this.processes, {
        onFailure: () => {},
        onSuccess: (all) => {
          this.ledger.processes = all.slice(0, mostShown)
            .map(({ grant, isSelf, name, wants }) => ({ name, grant, wants, isSelf }))
        }
      })
    })
  }

  private reportOf(isLeaving: boolean): Report {
    const { id, label, total } = this.options
    const { allowance, floors, holds, wants } = this.ledger
    return {
      id,
      label,
      sequence: ++this.sequence,
      total,
      floor: floors,
      holds: Math.max(allowance, holds),
      // A little in advance, so that most pools need not wait for the store when they grow.
      wants: wants > floors ? Math.min(total, wants + Math.ceil(wants / 4)) : wants,
      isKnown: this.isKnown,
      isLeaving
    }
  }

  private dueAt(): number {
    const { allowance, holds, isHungry, wants } = this.ledger
    if (this.lostAt !== undefined) return this.regularAt
    const soonest = this.sentAt + soon
    const isShort = allowance < this.ledger.around.total && (isHungry || wants > allowance)
    this.asksAt = isShort ? this.asksAt ?? this.now() + this.spread() : undefined
    const asks = Math.max(soonest, this.mayAskAt, this.asksAt ?? Infinity)
    const gaveUp = Math.max(allowance, holds) < this.reported ? soonest : Infinity
    return Math.min(this.regularAt, asks, gaveUp)
  }

  private answered(report: Report, answer: Answer): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { grant, held, processes, retryIn, total } = answer
      this.isKnown = true
      this.members = Math.max(1, processes)
      this.leaseUntil = this.sentAt + leaseHere
      this.regularAt = this.sentAt + this.jittered(reportEvery)
      this.mayAskAt = grant < report.wants ? this.sentAt + this.jittered(retryIn) : this.sentAt
      this.ledger.around = {
        store: "shared",
        total,
        processes: this.members,
        othersHold: Math.max(0, held - Math.max(grant, report.holds))
      }
      const back = this.storeIsBack()
      this.ledger.allow(Math.min(grant, total))
      return Effect.andThen(back, Effect.andThen(this.tellTotal(total, report), this.show))
    })
  }

  private failed(cause: unknown): Effect.Effect<void> {
    return Effect.suspend(() => {
      const delay = Math.min(longestRetry, firstRetry * 2 ** this.attempts++)
      this.regularAt = this.now() + this.jittered(delay)
      if (this.lostAt !== undefined) return Effect.void
      this.lostAt = this.now()
      this.ledger.around = { ...this.ledger.around, store: "away" }
      this.makeDo()
      for (const { told } of this.ledger.tenants) told({ _tag: "BudgetStoreLost", budget: this.ledger.name, cause })
      return this.say(
        "Warn",
        `the store can't be asked: ${
          describeCause(cause)
        }. Until it is back this process keeps what it has and opens at ` +
          `most ${this.ledger.allowance} of ${this.ledger.around.total} connections`
      )
    })
  }

  private storeIsBack(): Effect.Effect<void> {
    const { attempts, lostAt } = this
    this.attempts = 0
    this.lostAt = undefined
    if (lostAt === undefined) return Effect.void
    const away = this.now() - lostAt
    for (const { told } of this.ledger.tenants) told({ _tag: "BudgetStoreBack", budget: this.ledger.name, away })
    return this.say("Info", `the store is back after ${Math.round(away)} ms and ${attempts} attempts`)
  }

  /** Allows as many as may be opened without the store's word. */
  private makeDo(): void {
    const { ledger } = this
    const { total } = ledger.around
    // One that begins while the store is away is granted no more by anybody: the others leave room for floors if they can.
    const floors = Math.min(total, ledger.floors)
    if (!this.isKnown) ledger.allow(floors)
    else if (this.now() >= this.leaseUntil) {
      const even = Math.floor(total / this.members)
      ledger.allow(Math.max(floors, Math.min(ledger.allowance, Math.max(even, ledger.has))))
    }
  }

  /** Processes that do not agree on the total: the smallest counts, and each that is told otherwise says so once. */
  private tellTotal(total: number, { floor }: Report): Effect.Effect<void> {
    if (total === this.toldTotal) return Effect.void
    this.toldTotal = total
    if (total >= this.options.total) return Effect.void
    return this.say(
      "Warn",
      `another process says that its total is ${total}, this one says ${this.options.total}: the smaller counts` +
        (total < floor ? `, though the pools of this process are to have at least ${floor}` : "")
    )
  }

  private say(level: "Warn" | "Info", message: string): Effect.Effect<void> {
    return Effect.annotateLogs(Effect.logWithLevel(level)(message), { budget: this.ledger.name })
  }

  /** The floors of its pools are promised, and not asked for later than need be. */
  private spread(): number {
    if (this.members <= large || this.ledger.allowance < this.ledger.floors) return 0
    return this.members * spreadEach * this.random.nextDoubleUnsafe()
  }

  private jittered(millis: number): number {
    return millis * (1 - 0.2 * this.random.nextDoubleUnsafe())
  }
}

/** A store that throws has failed like any other. */
const within = <A>(ask: () => Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
  limited(Effect.suspend(ask), {
    step: "an answer of the budget's store",
    option: "a fixed limit",
    millis: answerWithin
  })

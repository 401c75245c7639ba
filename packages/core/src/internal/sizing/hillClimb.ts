/**
 * Finds how many connections help, by hill climbing on throughput: a step up is kept if the throughput followed it by half at
 * least, a step down unless it did.
 *
 * Waits and latencies are left aside on purpose: they tell that a server is slow, and not whether fewer or more connections
 * would help. A server that merely slows down gives no more with more connections, so the size stays.
 *
 * A measurement counts only while the pool is saturated. Without load every size is good enough, and none is tried.
 */
import { enough, type Look, type Measured, Window } from "./window.ts"

interface Move {
  readonly from: number
  readonly to: number
  readonly why: string
}

interface Base {
  readonly size: number
  readonly rate: number
}

/** A size that is tried against what the one before gave. */
interface Trial {
  readonly base: Base
  /** The size before, to go back to. */
  readonly back: number
  readonly direction: 1 | -1
}

/** The part by which a step changes the size, and that of it which throughput must follow. */
const step = 0.1
const coarseStep = 0.2
const follows = 0.5

/** Windows for which the size rests after both directions were tried in vain: the longer the more often. */
const patience = { first: 2, most: 32 } as const

/** Another throughput at the same size, two windows in a row, is another load or another server: worth a new trial. */
const another = 0.2

/** Above this part of failures, and twice what is usual, the backend is overloaded. */
const tooManyFail = 0.05
const onFailures = 0.9

/** How long new connections may take to open before a trial is given up. */
const settlesWithin = 10_000

export class HillClimb {
  /** The size chosen. */
  size: number
  why = "nothing was measured yet"
  /** The size to be tried next. */
  next: number
  /** Leases a second in the last window that counted. */
  rate = 0
  /** Whether the last trials were in vain, so that it rests. */
  isSettled = false
  private readonly min: number
  private readonly max: number
  private readonly mayMove: boolean
  private window: Window | undefined
  /** Until the connections of a new size are there and have been used once. */
  private settling: { readonly since: number; readonly ended: number } | undefined
  private trial: Trial | undefined
  private direction: 1 | -1 = 1
  private refused = 0
  private patience: number = patience.first
  private resting = 0
  private restedAt: Base | undefined
  private others = 0
  private usualFailures = 0
  private limit: number

  constructor(
    options: { readonly min: number; readonly max: number; readonly start: number; readonly mayMove: boolean }
  ) {
    this.min = options.min
    this.max = options.max
    this.size = this.next = this.limit = options.start
    this.mayMove = options.mayMove
  }

  /** Looks at the pool. `ceiling` is what the limit would be without it. Tells of a move, and of each size that was measured. */
  look(
    seen: Look,
    ceiling: number,
    onMeasured: (size: number, measured: Measured) => void = () => {}
  ): Move | undefined {
    if (seen.limit !== this.limit) return this.interfered(seen)
    if (this.settling !== undefined && !this.hasSettled(seen, this.settling)) return undefined
    this.settling = undefined
    this.window ??= new Window(seen)
    const measured = this.window.look(seen)
    if (measured === undefined) return undefined
    this.window = undefined
    if (measured === "nothing") return this.giveUp("too few leases end to tell what a size is worth")
    if (measured.isSaturated) {
      this.rate = measured.rate
      onMeasured(seen.limit, measured)
    }
    return this.judge(seen.limit, measured, ceiling)
  }

  /** Somebody else has moved the limit: what is being measured says nothing any more. */
  private interfered(seen: Look): undefined {
    this.limit = seen.limit
    this.window = undefined
    this.settling = { since: seen.now, ended: seen.ended }
    if (this.trial !== undefined) this.size = this.trial.back
    this.trial = undefined
    this.rest(0)
    this.why = `the limit was moved to ${seen.limit} by others`
    this.next = seen.limit
    return undefined
  }

  /** The connections are there, and each has been lent about once. Without load nothing is opened, which the window tells. */
  private hasSettled(seen: Look, { ended, since }: { readonly since: number; readonly ended: number }): boolean {
    const isThere = seen.live <= seen.limit && seen.live >= Math.floor(0.95 * seen.limit)
    return isThere && seen.ended - ended >= seen.limit || seen.now - since >= settlesWithin
  }

  private judge(size: number, measured: Measured, ceiling: number): Move | undefined {
    if (!measured.isSaturated) return this.unsaturated(size, measured)
    const usual = this.usualFailures
    this.usualFailures += 0.4 * (measured.failed - usual)
    if (measured.failed > tooManyFail && measured.failed > 2 * usual) return this.overloaded(size, measured)
    // A part of nothing is no number.
    if (measured.rate === 0) return this.giveUp("no lease ended well, which tells nothing of a size")
    const { trial } = this
    if (trial === undefined) return this.measuredBase(size, measured, ceiling)
    const grew = size / trial.base.size - 1
    const gained = measured.rate / trial.base.rate - 1
    const hasFollowed = gained / grew >= follows
    const said = `${percent(gained)} throughput for ${percent(grew)} connections (${perSecond(measured.rate)})`
    this.trial = undefined
    if (hasFollowed === (trial.direction === 1)) {
      this.patience = patience.first
      this.refused = 0
      const on = this.attempt(
        { size, rate: measured.rate },
        trial.direction,
        ceiling,
        measured,
        `${size} is kept: ${said}`
      )
      if (on !== undefined) return on
      return this.turnBack()
    }
    this.refused++
    return this.goTo(trial.back, `back from ${size}: ${said}`, size, trial.direction === 1 ? -1 : 1)
  }

  /** The throughput at the size in force is known: something else is tried, unless everything was lately. */
  private measuredBase(size: number, measured: Measured, ceiling: number): Move | undefined {
    const base = { size, rate: measured.rate }
    if (this.resting > 0 && !this.isAnother(base)) {
      this.resting--
      return undefined
    }
    if (this.refused >= 2) return this.settled(base)
    this.isSettled = false
    const why = `callers wait at ${size} (${perSecond(measured.rate)})`
    const other = this.direction === 1 ? -1 : 1
    const direction = this.sizeAt(base, this.direction, ceiling, measured) === undefined ? other : this.direction
    const tried = this.attempt(base, direction, ceiling, measured, why)
    if (tried === undefined && this.next === size) {
      this.why = `${why}, and there is no other size from ${this.min} to ${this.max}`
    }
    return tried
  }

  /** Both directions were tried in vain. */
  private settled(base: Base): undefined {
    this.rest(this.patience)
    this.patience = Math.min(patience.most, 2 * this.patience)
    this.restedAt = base
    this.isSettled = true
    this.next = base.size
    this.why = `${base.size} is right: more connections bring too little, fewer cost too much (${perSecond(base.rate)})`
  }

  private rest(windows: number): void {
    this.resting = windows
    this.refused = 0
    this.others = 0
    this.restedAt = undefined
  }

  private isAnother({ rate }: Base): boolean {
    if (this.restedAt === undefined) return false
    this.others = Math.abs(rate / this.restedAt.rate - 1) > another ? this.others + 1 : 0
    if (this.others < 2) return false
    this.rest(0)
    this.patience = patience.first
    return true
  }

  /** The size one step on, if there is one. */
  private sizeAt({ size }: Base, direction: 1 | -1, ceiling: number, { leases }: Measured): number | undefined {
    const by = Math.max(1, Math.ceil(size * (leases >= enough ? step : coarseStep)))
    const to = Math.max(this.min, Math.min(this.max, ceiling, size + direction * by))
    // A bound that holds the limit below the smallest size is not for the climb to undo.
    return to !== size && (to > size) === (direction === 1) ? to : undefined
  }

  private attempt(
    base: Base,
    direction: 1 | -1,
    ceiling: number,
    measured: Measured,
    why: string
  ): Move | undefined {
    const to = this.sizeAt(base, direction, ceiling, measured)
    this.next = to ?? base.size
    if (to === undefined) return undefined
    if (!this.mayMove) {
      this.why = `${why}: would try ${to}`
      return undefined
    }
    this.trial = { base, back: this.size, direction }
    return this.goTo(to, `${why}, ${to} is tried`, base.size, direction)
  }

  /** At an end of the range the other direction is left. */
  private turnBack(): undefined {
    this.direction = this.direction === 1 ? -1 : 1
    this.refused = 1
  }

  private goTo(to: number, why: string, from: number, direction = this.direction): Move {
    this.direction = direction
    this.size = to
    this.next = to
    this.why = why
    return { from, to, why }
  }

  /** Told by whoever has moved the limit that it is in force. */
  moved(seen: Look): void {
    this.limit = seen.limit
    this.window = undefined
    this.settling = { since: seen.now, ended: seen.ended }
  }

  /** A larger size after which nobody waits any more has served its purpose; other trials end undecided. */
  private unsaturated(size: number, { isShort, rate }: Measured): Move | undefined {
    const { trial } = this
    this.trial = undefined
    this.rest(0)
    this.next = size
    if (trial === undefined) {
      this.why = `${size} is enough: the connections are not all in use, or nobody waits`
      return undefined
    }
    if (trial.direction === 1 && !isShort && rate >= 0.95 * trial.base.rate) {
      this.why = `${size} is kept: nobody waits any more`
      return undefined
    }
    const why = isShort ? "no more connections could be opened" : "the load went away before it was decided"
    return this.goTo(trial.back, `back from ${size}: ${why}`, size)
  }

  private overloaded(size: number, { failed }: Measured): Move | undefined {
    this.trial = undefined
    this.rest(0)
    const why = `${percent(failed, "")} of the leases failed or ran out of time`
    const to = Math.max(this.min, Math.min(size - 1, Math.floor(onFailures * size)))
    this.next = to
    if (to >= size || !this.mayMove) {
      this.why = to >= size ? why : `${why}: would go to ${to}`
      return undefined
    }
    return this.goTo(to, why, size, -1)
  }

  private giveUp(why: string): Move | undefined {
    const { trial } = this
    this.trial = undefined
    this.rest(0)
    if (trial === undefined) {
      this.why = why
      return undefined
    }
    return this.goTo(trial.back, `back from ${this.size}: ${why}`, this.size)
  }
}

const percent = (part: number, sign = part >= 0 ? "+" : ""): string => `${sign}${Math.round(part * 100)} %`

const perSecond = (rate: number): string =>
  `${rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate)} leases a second`

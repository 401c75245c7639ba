/**
 * Records the operations on the connections: how often, how long, and how they ended. A record costs a few additions;
 * texts are looked at for listeners and for the slowest alone.
 */
import type { Operation, OperationStats, SlowOperation } from "../model/operation.ts"
import { Histogram } from "./histogram.ts"

/** So many kinds have a series of their own; those that come later share `other`. */
const mostKinds = 32

/** So many characters of a text are told. */
const longestText = 100

/** The slowest are kept for so long, in milliseconds, and so many of them. */
const memory = 600_000
const mostSlow = 10

export class Operations {
  readonly time: Histogram = new Histogram()
  private readonly kinds = new Map<string, Histogram>()
  private onKind: ((kind: string, time: Histogram) => void) | undefined = undefined
  private readonly slow = new Slowest()

  /** `at` is the monotonic time, `date` gives the time of the wall. */
  record(operation: Operation, at: number, date: () => number): void {
    const { kind, took } = operation
    this.time.record(took)
    ;(this.kinds.get(kind) ?? this.learn(kind)).record(took)
    if (this.slow.isSlow(took, at)) this.slow.note(operation, at, date())
  }

  /** Tells of each kind once, those there are included. */
  watch(onKind: ((kind: string, time: Histogram) => void) | undefined): void {
    this.onKind = onKind
    if (onKind !== undefined) { for (const [kind, time] of this.kinds) onKind(kind, time) }
  }

  stats(at: number): OperationStats {
    return { time: this.time.timing(), slowest: this.slow.read(at) }
  }

  private learn(kind: string): Histogram {
    const name = this.kinds.size < mostKinds - 1 ? kind : "other"
    const known = this.kinds.get(name)
    if (known !== undefined) return known
    const time = new Histogram()
    this.kinds.set(name, time)
    this.onKind?.(name, time)
    return time
  }
}

/** The part of a text that may be told. */
export const cut = (text: string | undefined): string | undefined => text?.slice(0, longestText)

interface Entry {
  readonly slow: SlowOperation
  /** The monotonic time of its end. */
  readonly endedAt: number
}

/** So many operations of each minute are looked at whatever they took, so that few texts all find their place. */
const looks = 200
const minute = 60_000

/** A short list: whatever is faster than all in it is turned away by two comparisons. */
class Slowest {
  private all: ReadonlyArray<Entry> = []
  /** How long an operation must take to be looked at when the looks are used up. */
  private least = 0
  private looksLeft = looks
  private renewsAt = -Infinity

  isSlow(took: number, at: number): boolean {
    if (at >= this.renewsAt) {
      this.renewsAt = at + minute
      this.looksLeft = looks
    }
    return took > this.least || --this.looksLeft >= 0
  }

  note(operation: Operation, at: number, date: number): void {
    const { end, kind, took } = operation
    const text = cut(operation.text)
    const same = this.all.find(({ slow }) => slow.kind === kind && slow.text === text)
    if (same !== undefined && same.slow.took >= took && at - same.endedAt < memory) return
    const others = this.all.filter((other) => other !== same && at - other.endedAt < memory)
    const entry: Entry = { slow: { kind, text, took, at: date, end }, endedAt: at }
    this.all = [...others, entry].toSorted((a, b) => b.slow.took - a.slow.took).slice(0, mostSlow)
    this.least = this.all.at(-1)!.slow.took
  }

  read(at: number): ReadonlyArray<SlowOperation> {
    return this.all.filter(({ endedAt }) => at - endedAt < memory).map(({ slow }) => slow)
  }
}

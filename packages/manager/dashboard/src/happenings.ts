/** The happenings of a pool, read off its samples, for its charts: faults, drains and pauses, changed limits. */
import type * as Api from "../../src/MonitoringApi.ts"
import { wordsOf } from "./eventText.ts"

export interface Happening {
  /** Seconds since the epoch; a moment where both are the same. */
  readonly from: number
  /** `undefined` while it lasts. */
  readonly to: number | undefined
  readonly text: string
  readonly tone: "bad" | "warn" | "info"
}

const severe: ReadonlySet<string> = new Set([
  "backendDown",
  "queueDeadlock",
  "oneKey",
  "oneHolder",
  "callersFail",
  "credentialsRefused"
])

/** Goes through the samples as they come. */
export class Happenings {
  readonly all: Array<Happening> = []
  #last: Api.Sample | undefined
  readonly #open = new Map<"cause" | "state", number>()

  clear(): void {
    this.all.length = 0
    this.#last = undefined
    this.#open.clear()
  }

  add(sample: Api.Sample): void {
    const last = this.#last
    const at = sample.at / 1000
    if (sample.cause !== (last?.cause ?? null)) {
      const { cause } = sample
      this.#turn("cause", at, cause === null ? undefined : [wordsOf(cause), severe.has(cause) ? "bad" : "warn"])
    }
    if (sample.state !== (last?.state ?? "open")) {
      this.#turn("state", at, sample.state === "open" ? undefined : [sample.state, "info"])
    }
    if (last !== undefined && sample.limit !== last.limit) {
      this.all.push({ from: at, to: at, text: `limit ${last.limit} → ${sample.limit}`, tone: "info" })
    }
    this.#last = sample
  }

  /** Ends what lasted of this kind, and begins another, if there is one. */
  #turn(kind: "cause" | "state", at: number, next: readonly [string, Happening["tone"]] | undefined): void {
    const index = this.#open.get(kind)
    const before = index === undefined ? undefined : this.all[index]
    if (index !== undefined && before !== undefined) this.all[index] = { ...before, to: at }
    this.#open.delete(kind)
    if (next === undefined) return
    const [text, tone] = next
    this.#open.set(kind, this.all.push({ from: at, to: undefined, text, tone }) - 1)
  }
}

/** The event log: the last few thousand, the oldest forgotten. */
import { signal } from "@preact/signals"
import type * as Api from "../../src/MonitoringApi.ts"
import { describe, type Described } from "./eventText.ts"

/** The page's own lines in between. */
export interface Mark {
  readonly _tag: "ServerStarted" | "EventsMissed"
  readonly at: number
}

/** Everything that the log tells of. */
export type Told = Api.PoolEvent | Api.Acted | Mark

export interface Entry {
  readonly key: number
  readonly event: Told
  readonly text: Described
}

const kept = 2000

const entries: Array<Entry> = []
let key = 0

/** Grows with each change of `entries`. */
export const logChanged = signal(0)

/** The oldest first. */
export const log: ReadonlyArray<Entry> = entries

export const record = (event: Told): void => {
  entries.push(new LazyEntry(++key, event))
  // A quarter more, so that not each event moves all others.
  if (entries.length > kept * 1.25) entries.splice(0, entries.length - kept)
  logChanged.value++
}

/** An event is put in words when somebody looks at it: of thousands most are never seen. */
class LazyEntry implements Entry {
  readonly key: number
  readonly event: Told
  #text: Described | undefined
  constructor(key: number, event: Told) {
    this.key = key
    this.event = event
  }
  get text(): Described {
    return this.#text ??= describe(this.event)
  }
}

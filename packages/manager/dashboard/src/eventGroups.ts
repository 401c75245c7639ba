/** Events of one cause in one row with their number: a hundred callers that give up are one thing that happened. */
import type { Entry } from "./log.ts"

export interface Group {
  /** The latest. */
  readonly entry: Entry
  readonly count: number
  /** When the first of them happened. */
  readonly since: number
}

/** ms: the same after so long a rest is told anew. */
const rest = 60_000

/** Gives the latest first, for entries in that order. */
export const grouped = (entries: ReadonlyArray<Entry>): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  const open = new Map<string, number>()
  for (const entry of entries) {
    const { at } = entry.event
    const key = causeOf(entry)
    const index = open.get(key)
    const group = index === undefined ? undefined : groups[index]
    if (index === undefined || group === undefined || group.since - at > rest) {
      open.set(key, groups.push({ entry, count: 1, since: at }) - 1)
    } else groups[index] = { ...group, count: group.count + 1, since: at }
  }
  return groups
}

/** The pool, the kind and what it was because of: who it happened to and how long it took tells nothing else. */
const causeOf = ({ event, key }: Entry): string => {
  const pool = "pool" in event ? event.pool : ""
  const why = reasonOf(event)
  return why === undefined ? String(key) : `${pool}\n${event._tag}\n${why}`
}

const reasonOf = (event: Entry["event"]): string | undefined => {
  switch (event._tag) {
    case "OpenFailed":
    case "ValidateFailed":
    case "ResetFailed":
    case "CloseFailed":
    case "BreakerStoreFailed":
      // Numbers of ports and connections differ where the cause is the same.
      return event.cause.replaceAll(/\d+/g, "#")
    case "AcquireTimedOut":
    case "AcquiredSlowly":
    case "LeakSuspected":
    case "LeakEnded":
      return event.label ?? ""
    case "Retired":
      return event.because
    case "Opened":
    case "Closed":
    case "Acquired":
    case "Released":
    case "HealthChecked":
      return ""
    case "Operated":
      return `${event.kind} ${event.end} ${event.text ?? ""}`
    default:
      return undefined
  }
}

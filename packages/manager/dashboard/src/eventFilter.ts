/** Which events of the log one wants to see. */
import { wordsOf } from "./eventText.ts"
import type { Entry } from "./log.ts"

export interface Filter {
  readonly pool: string
  /** Empty, `notable`, `problems` or a tag. */
  readonly kind: string
  readonly text: string
}

export const makeFilter = ({ kind, pool, text }: Filter): (entry: Entry) => boolean => {
  const wanted = text.trim().toLowerCase()
  return (entry) => {
    const { event } = entry
    if (pool !== "" && "pool" in event && event.pool !== pool) return false
    if (kind === "problems" && !isProblem(entry)) return false
    if (kind === "notable" && (entry.text.level === "info" && routine.has(event._tag))) return false
    if (kind !== "" && kind !== "problems" && kind !== "notable" && event._tag !== kind) return false
    return wanted === "" || textOf(entry).includes(wanted)
  }
}

/** Events that happen all day in a pool that is well. */
const routine: ReadonlySet<string> = new Set(["Acquired", "Released", "Opened", "Retired", "Closed", "HealthChecked"])

const isProblem = ({ text: { level } }: Entry): boolean => level === "warning" || level === "bad"

const textOf = ({ event, text }: Entry): string =>
  `${"pool" in event ? event.pool : ""} ${wordsOf(event._tag)} ${text.text}`.toLowerCase()

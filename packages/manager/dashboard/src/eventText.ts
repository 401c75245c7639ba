/** Each event in words, and how bad it is. */
import type * as Api from "../../src/MonitoringApi.ts"
import { count, millis, plural } from "./format.ts"
import type { Mark } from "./log.ts"

export type Level = "info" | "good" | "warning" | "bad"

export interface Described {
  readonly level: Level
  readonly text: string
}

export const tags: ReadonlyArray<Api.PoolEvent["_tag"]> = [
  "Opened",
  "OpenFailed",
  "Acquired",
  "Released",
  "AcquiredSlowly",
  "AcquireTimedOut",
  "ValidateFailed",
  "ResetFailed",
  "Retired",
  "Closed",
  "CloseFailed",
  "LeakSuspected",
  "LeakEnded",
  "BreakerOpened",
  "BreakerClosed",
  "BreakerStoreFailed",
  "HealthChecked",
  "Paused",
  "Resumed",
  "AllRetired",
  "LimitChanged",
  "DrainStarted",
  "Drained",
  "ClockLeapt",
  "UpstreamEjected",
  "UpstreamReturned"
]

/** `AcquireTimedOut` as `acquire timed out`. */
export const wordsOf = (tag: string): string =>
  tag.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()

export const describe = (event: Api.PoolEvent | Mark): Described => {
  switch (event._tag) {
    case "Opened":
      return info(`connection ${event.connection} opened in ${millis(event.took)}`)
    case "OpenFailed":
      return bad(`dial ${event.attempt} failed: ${event.cause}; next in ${millis(event.retryIn)}`)
    case "Acquired":
      return info(`connection ${event.connection} lent${to(event.label)} after ${millis(event.waited)}`)
    case "Released":
      return {
        level: event.end === "success" || event.end === "interrupt" ? "info" : "warning",
        text: `connection ${event.connection} back${from(event.label)} after ${millis(event.held)}: ${event.end}`
      }
    case "AcquiredSlowly":
      return warning(`connection ${event.connection} lent${to(event.label)} only after ${millis(event.waited)}`)
    case "AcquireTimedOut":
      return bad(`a caller${named(event.label)} gave up after ${millis(event.waited)}`)
    case "ValidateFailed":
      return warning(`connection ${event.connection} did not prove itself: ${event.cause}`)
    case "ResetFailed":
      return warning(`connection ${event.connection} could not be made clean: ${event.cause}`)
    case "Retired":
      return {
        level: event.because === "broken" || event.because === "invalid" ? "warning" : "info",
        text: `connection ${event.connection} retired because ${event.because}`
      }
    case "Closed":
      return info(`connection ${event.connection} closed after a life of ${millis(event.lived)}`)
    case "CloseFailed":
      return warning(`connection ${event.connection} could not be closed: ${event.cause}`)
    case "LeakSuspected":
      return bad(`connection ${event.connection} is held${by(event.label)} for ${millis(event.held)}: a leak?`)
    case "LeakEnded":
      return good(`connection ${event.connection} is back${from(event.label)} after ${millis(event.held)}`)
    case "BreakerOpened":
      return bad(`the breaker opened: the next dial is in ${millis(event.retryAfter)}`)
    case "BreakerClosed":
      return good("the breaker closed: dials go on")
    case "BreakerStoreFailed":
      return warning(`the shared breaker can't be reached, this pool uses its own: ${event.cause}`)
    case "HealthChecked":
      return {
        level: event.failed > 0 ? "warning" : "info",
        text: `${plural(event.checked, "idle connection", "idle connections")} checked, ${count(event.failed)} failed`
      }
    case "Paused":
      return warning("paused: nobody is admitted")
    case "Resumed":
      return good("resumed")
    case "AllRetired":
      return info("all connections are replaced")
    case "LimitChanged":
      return info(`the limit is now ${count(event.limit)}`)
    case "DrainStarted":
      return warning("draining: nobody is admitted any more")
    case "Drained":
      return drained(event.report)
    case "ClockLeapt":
      return warning(`the clock leapt by ${millis(Math.abs(event.by))}${event.by < 0 ? " backwards" : ""}`)
    case "UpstreamEjected":
      return warning(
        `${event.upstream} is left out for ${millis(event.forMillis)} because of ${
          event.because === "failureRate" ? "its failure rate" : "consecutive failures"
        }`
      )
    case "UpstreamReturned":
      return good(`${event.upstream} is used again`)
    case "ServerStarted":
      return warning("the program started anew: all counts begin at 0")
    case "EventsMissed":
      return warning("events are missing here: the page was away for too long")
  }
}

const drained = ({ abandoned, closed, refused, returned, served, took }: Api.DrainReport): Described => ({
  level: abandoned.length > 0 ? "bad" : "info",
  text: `drained in ${millis(took)}: ${count(served)} served, ${count(refused)} refused, ${count(returned)} returned, ${
    count(abandoned.length)
  } abandoned, ${count(closed)} closed`
})

const info = (text: string): Described => ({ level: "info", text })
const good = (text: string): Described => ({ level: "good", text })
const warning = (text: string): Described => ({ level: "warning", text })
const bad = (text: string): Described => ({ level: "bad", text })

const quoted = (label: string | null, word: string): string => label === null ? "" : ` ${word} “${label}”`
const to = (label: string | null): string => quoted(label, "to")
const from = (label: string | null): string => quoted(label, "from")
const by = (label: string | null): string => quoted(label, "by")
const named = (label: string | null): string => label === null ? "" : ` “${label}”`

/** Each event in words, and how bad it is. */
import type * as Api from "../../src/MonitoringApi.ts"
import { count, millis, percent, plural } from "./format.ts"
import type { Mark, Told } from "./log.ts"

export type Level = "info" | "good" | "warning" | "bad"

export interface Described {
  readonly level: Level
  readonly text: string
}

/** How each kind of event is described: none can be left out. */
type Table<Event extends { readonly _tag: string }> = {
  readonly [Tag in Event["_tag"]]: (event: Event & { readonly _tag: Tag }) => Described
}

const info = (text: string): Described => ({ level: "info", text })
const good = (text: string): Described => ({ level: "good", text })
const warning = (text: string): Described => ({ level: "warning", text })
const bad = (text: string): Described => ({ level: "bad", text })

const quoted = (label: string | null, word = ""): string => label === null ? "" : `${word} “${label}”`

const ofPools: Table<Api.PoolEvent> = {
  Opened: ({ connection, took }) => info(`connection ${connection} opened in ${millis(took)}`),
  OpenFailed: ({ attempt, cause, retryIn }) => bad(`dial ${attempt} failed: ${cause}; next in ${millis(retryIn)}`),
  Acquired: ({ connection, label, waited }) =>
    info(`connection ${connection} lent${quoted(label, " to")} after ${millis(waited)}`),
  Released: ({ connection, end, held, label }) => ({
    level: end === "success" || end === "interrupt" ? "info" : "warning",
    text: `connection ${connection} back${quoted(label, " from")} after ${millis(held)}: ${end}`
  }),
  AcquiredSlowly: ({ connection, label, waited }) =>
    warning(`connection ${connection} lent${quoted(label, " to")} only after ${millis(waited)}`),
  AcquireTimedOut: ({ label, waited }) => bad(`a caller${quoted(label)} gave up after ${millis(waited)}`),
  ValidateFailed: ({ cause, connection }) => warning(`connection ${connection} did not prove itself: ${cause}`),
  ResetFailed: ({ cause, connection }) => warning(`connection ${connection} could not be made clean: ${cause}`),
  Retired: ({ because, connection }) => ({
    level: because === "broken" || because === "invalid" ? "warning" : "info",
    text: `connection ${connection} retired because ${because}`
  }),
  Closed: ({ connection, lived }) => info(`connection ${connection} closed after a life of ${millis(lived)}`),
  CloseFailed: ({ cause, connection }) => warning(`connection ${connection} could not be closed: ${cause}`),
  LeakSuspected: ({ connection, held, label }) =>
    bad(`connection ${connection} is held${quoted(label, " by")} for ${millis(held)}: a leak?`),
  LeakEnded: ({ connection, held, label }) =>
    good(`connection ${connection} is back${quoted(label, " from")} after ${millis(held)}`),
  Operated: ({ end, kind, status, text, took }) => ({
    level: end === "failed" ? "bad" : "info",
    text: `${kind} ${end}${status === null ? "" : ` (${status})`} after ${millis(took)}${
      text === null ? "" : `: ${text}`
    }`
  }),
  WarmedUp: ({ open }) => good(`warmed up: ${plural(open, "connection is", "connections are")} open`),
  BreakerOpened: ({ retryAfter }) => bad(`the breaker opened: the next dial is in ${millis(retryAfter)}`),
  BreakerClosed: () => good("the breaker closed: dials go on"),
  BreakerStoreFailed: ({ cause }) => warning(`the shared breaker can't be reached, dials go on without it: ${cause}`),
  HealthChecked: ({ checked, failed }) => ({
    level: failed > 0 ? "warning" : "info",
    text: `${plural(checked, "idle connection", "idle connections")} checked, ${count(failed)} failed`
  }),
  Paused: () => warning("paused: nobody is admitted"),
  Resumed: () => good("resumed"),
  AllRetired: () => info("all connections are replaced"),
  LimitChanged: ({ from, limit, limitedBy, why }) => ({
    level: limitedBy === "server" ? "warning" : "info",
    text: `the limit is now ${count(limit)} after ${count(from)}: ${why}`
  }),
  BudgetStoreLost: ({ budget, cause }) =>
    warning(`the store of the budget ${budget} does not answer, what was granted last holds: ${cause}`),
  BudgetStoreBack: ({ away, budget }) => good(`the store of the budget ${budget} is back after ${millis(away)}`),
  SheddingChanged: ({ refused: { low, normal } }) =>
    low === 0 && normal === 0
      ? good("overloaded no more: nobody is refused")
      : warning(`overloaded: ${percent(normal)} of normal and ${percent(low)} of low callers are refused`),
  DegradationChanged: ({ from, isManual, level }) => ({
    level: level === 0 ? "good" : "warning",
    text: `degradation is at level ${level} after ${from}${isManual ? ", set by hand" : ""}`
  }),
  QueueCleared: ({ failed }) => warning(`the queue was cleared: ${plural(failed, "caller", "callers")} failed`),
  DrainStarted: () => warning("draining: nobody is admitted any more"),
  Drained: ({ report: { abandoned, closed, refused, returned, served, took } }) => ({
    level: abandoned.length > 0 ? "bad" : "info",
    text: `drained in ${millis(took)}: ${count(served)} served, ${count(refused)} refused, ${
      count(returned)
    } returned, ${count(abandoned.length)} abandoned, ${count(closed)} closed`
  }),
  ClockLeapt: ({ by }) => warning(`the clock leapt by ${millis(Math.abs(by))}${by < 0 ? " backwards" : ""}`),
  UpstreamEjected: ({ because, forMillis, upstream }) => {
    const why = because === "failureRate" ? "its failure rate" : "consecutive failures"
    return warning(`${upstream} is left out for ${millis(forMillis)} because of ${why}`)
  },
  UpstreamReturned: ({ upstream }) => good(`${upstream} is used again`),
  UpstreamJoined: ({ upstream, weight }) => good(`${upstream} joined with weight ${weight}`),
  UpstreamLeft: ({ upstream }) => info(`${upstream} left`),
  PrimaryChanged: ({ from, timeline, to }) =>
    to === null
      ? bad(`no server takes writes any more; before it was ${from ?? "none"}`)
      : warning(`${to} takes the writes now, in timeline ${timeline}${from === null ? "" : `; before it was ${from}`}`)
}

const ofDeeds: Table<Api.Acted> = {
  Acted: ({ action, client }) => info(`${action}, as asked over HTTP by ${client}`)
}

const ofPage: Table<Mark> = {
  ServerStarted: () => warning("the program started anew: all counts begin at 0"),
  EventsMissed: () => warning("events are missing here: the page was away for too long")
}

/** The kinds of events that pools have. */
export const tags: ReadonlyArray<string> = Object.keys({ ...ofPools, ...ofDeeds })

const table = { ...ofPools, ...ofDeeds, ...ofPage }

export const describe = (event: Told): Described =>
  // Each entry takes the events of the very tag that it is found by, which the compiler can't follow.
  (table[event._tag] as (event: Told) => Described)(event)

/** `AcquireTimedOut` as `acquire timed out`. */
export const wordsOf = (tag: string): string =>
  tag.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()

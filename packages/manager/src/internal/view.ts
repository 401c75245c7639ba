/**
 * The pools' own models as what the monitoring routes send: JSON has neither `undefined` nor `Infinity`, and causes are
 * told by their message alone.
 */
import type { ConnectionInfo, DrainReport } from "@effect-pools/core/ConnectionPool"
import { describeCause } from "@effect-pools/core/Describe"
import type { PoolConfig } from "@effect-pools/core/PoolConfig"
import type { PoolEvent } from "@effect-pools/core/PoolEvent"
import type { PoolHealth } from "@effect-pools/core/PoolHealth"
import type { PoolStats } from "@effect-pools/core/PoolStats"
import * as Struct from "effect/Struct"
import type * as Api from "../MonitoringApi.ts"
import { scoreOf } from "./fleet.ts"
import { oneLine } from "./text.ts"

export const health = ({ diagnosis, name, warnings, ...health }: PoolHealth): Api.PoolHealth => ({
  ...health,
  diagnosis: diagnosis === undefined ? null : { ...diagnosis, until: diagnosis.until ?? null },
  score: scoreOf(health.status, warnings.length),
  warnings: warnings.map((warning) => ({ pool: name, ...warning }))
})

/** Without `waitsUpTo`, which tells nothing but to a program that compares two of them. */
export const stats = ({ budget, members, primary, sizing, ...stats }: PoolStats): Api.Stats => ({
  ...Struct.omit(stats, ["waitsUpTo"]),
  operations: {
    ...stats.operations,
    slowest: stats.operations.slowest.map((slow) => ({ ...slow, text: labelled(slow.text) }))
  },
  ...(budget === undefined ? {} : {
    budget: {
      ...budget,
      name: oneLine(budget.name),
      members: budget.members.map((member) => ({ ...member, name: oneLine(member.name) }))
    }
  }),
  ...(members === undefined ? {} : {
    members: members.map((member) => ({ ...member, role: member.role ?? null, lag: member.lag ?? null }))
  }),
  ...(primary === undefined ? {} : {
    primary: { ...primary, name: primary.name ?? null, before: primary.before ?? null }
  }),
  ...(sizing === undefined ? {} : { sizing }),
  borrowers: stats.borrowers.map((borrower) => ({
    ...borrower,
    label: labelled(borrower.label),
    statement: labelled(borrower.statement)
  })),
  traffic: { ...stats.traffic, keys: stats.traffic.keys.map((each) => ({ ...each, key: labelled(each.key) })) }
})

const finite = (n: number): number | null => Number.isFinite(n) ? n : null

// Named one by one: what the core adds some day must not reach a page unseen.
export const config = (config: PoolConfig): Api.Config => ({
  minConnections: config.minConnections,
  maxConnections: config.maxConnections,
  acquireTimeout: config.acquireTimeout,
  connectTimeout: config.connectTimeout,
  validateTimeout: config.validateTimeout,
  resetTimeout: config.resetTimeout,
  closeTimeout: config.closeTimeout,
  drainTimeout: config.drainTimeout,
  idleTimeout: config.idleTimeout,
  maxLifetime: config.maxLifetime,
  maxLifetimeJitter: config.maxLifetimeJitter,
  maxUses: finite(config.maxUses),
  freshnessWindow: config.freshnessWindow,
  pendingLimit: config.pendingLimit,
  connectRate: config.connectRate,
  breaker: config.breaker,
  leakTimeout: config.leakTimeout,
  reclaimTimeout: finite(config.reclaimTimeout),
  slowAcquireTimeout: config.slowAcquireTimeout,
  startup: config.startup,
  startupTimeout: config.startupTimeout,
  eventBuffer: config.eventBuffer,
  unref: config.unref,
  metrics: config.metrics,
  sizing: config.sizing
})

/** The words of callers come from anywhere: each is shown on one line. */
const named = <Told extends { readonly label: string | undefined; readonly tags?: Tags }>(
  { label, tags, ...told }: Told
): Named<Told> =>
  // The rest of a union has only the fields that all its members have.
  ({ ...told, label: labelled(label), ...(tags === undefined ? {} : { tags: cleaned(tags) }) }) as Named<Told>

type Named<Told> = Told extends unknown
  ? Omit<Told, "label" | "tags"> & { readonly label: string | null; readonly tags?: Readonly<Record<string, string>> }
  : never

type Tags = Readonly<Record<string, string>> | undefined

const cleaned = (tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(tags).map(([name, value]) => [oneLine(name), oneLine(value)]))

const labelled = (label: string | undefined): string | null => label === undefined ? null : oneLine(label)

export const connection = (info: ConnectionInfo): Api.Connection => ({
  ...info,
  label: labelled(info.label),
  tags: cleaned(info.tags),
  activity: info.activity === undefined ? null : oneLine(info.activity)
})

export const drainReport = (report: DrainReport): Api.DrainReport => ({
  ...report,
  abandoned: report.abandoned.map(named)
})

export const event = (event: PoolEvent): Api.PoolEvent => {
  switch (event._tag) {
    case "OpenFailed":
    case "ValidateFailed":
    case "ResetFailed":
    case "CloseFailed":
    case "BreakerStoreFailed":
    case "BudgetStoreLost":
      return { ...event, cause: describeCause(event.cause) }
    case "Acquired":
    case "Released":
    case "AcquiredSlowly":
    case "AcquireTimedOut":
    case "LeakEnded":
      return named(event)
    case "Operated":
      return {
        ...event,
        text: labelled(event.text),
        status: typeof event.status === "string" ? oneLine(event.status) : event.status ?? null,
        count: event.count ?? null
      }
    case "LeakSuspected":
      return { ...named(event), takenAt: event.takenAt.map(oneLine) }
    case "Drained":
      return { ...event, report: drainReport(event.report) }
    case "Opened":
    case "Retired":
    case "Closed":
    case "BreakerOpened":
    case "BreakerClosed":
    case "HealthChecked":
    case "Paused":
    case "Resumed":
    case "AllRetired":
    case "LimitChanged":
    case "BudgetStoreBack":
    case "SheddingChanged":
    case "DegradationChanged":
    case "QueueCleared":
    case "DrainStarted":
    case "WarmedUp":
    case "ClockLeapt":
    case "UpstreamEjected":
    case "UpstreamReturned":
    case "UpstreamJoined":
    case "UpstreamLeft":
      return event
    case "PrimaryChanged":
      return { ...event, from: event.from ?? null, to: event.to ?? null }
  }
}

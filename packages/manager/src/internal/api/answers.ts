/**
 * The answers of the monitoring routes, and the payloads of the actions.
 */
import { causes } from "@effect-pools/core/PoolDiagnosis"
import * as Schema from "effect/Schema"
import { Connection, Diagnosis, DrainReport, Pool, Sample, Status, Warning } from "./models.ts"
import { Limit } from "./parts.ts"

/** All pools added up. @category models @since 0.1.0 */
export const Fleet = Schema.Struct({
  status: Status,
  /** The mean of the pools' scores, 0 to 100; never above 50 while one is unhealthy. */
  score: Schema.Finite,
  pools: Schema.Struct({
    total: Schema.Finite,
    healthy: Schema.Finite,
    degraded: Schema.Finite,
    unhealthy: Schema.Finite
  }),
  total: Schema.Finite,
  used: Schema.Finite,
  idle: Schema.Finite,
  pending: Schema.Finite,
  opening: Schema.Finite,
  closing: Schema.Finite,
  limit: Schema.Finite,
  /** `used` as a share of `limit`, 0 to 100. */
  utilization: Schema.Finite,
  /** Leases since the start. */
  acquired: Schema.Finite,
  /** Failed acquisitions and dials since the start. */
  failures: Schema.Finite,
  /** Mean wait for a connection in the last one to two minutes, ms. */
  avgWaitTime: Schema.Finite,
  /** Mean duration of statements, commands, requests and messages in that time, ms. */
  avgQueryTime: Schema.Finite,
  /** Share of failed acquisitions and dials, or of operations that failed by the backend's doing, in that time, 0 to 1. */
  errorRate: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Fleet = typeof Fleet.Type

/** `GET /pools`. @category answers @since 0.1.0 */
export const Pools = Schema.Struct({
  at: Schema.Finite,
  /** Changes with each start of the server. */
  instance: Schema.String,
  /** Whether the routes that change something exist. They need the token. */
  actions: Schema.Boolean,
  fleet: Fleet,
  pools: Schema.Array(Pool)
})
/** @category answers @since 0.1.0 */
export type Pools = typeof Pools.Type

/** `GET /pools/:name/connections`. @category answers @since 0.1.0 */
export const Connections = Schema.Struct({
  at: Schema.Finite,
  pool: Schema.String,
  connections: Schema.Array(Connection)
})
/** @category answers @since 0.1.0 */
export type Connections = typeof Connections.Type

/** The subject of an alert: a number above its limit, or the cause of a diagnosis. @category models @since 0.1.0 */
export const AlertRule = Schema.Literals([
  "utilization",
  "unhealthy",
  "failures",
  "operations",
  "slowAcquires",
  "queue",
  ...causes
])
/** @category models @since 0.1.0 */
export type AlertRule = typeof AlertRule.Type

/** Something a person should look at: raised once, and cleared when it is over. @category models @since 0.1.0 */
export const Alert = Schema.Struct({
  /** Never given twice by one server. */
  id: Schema.Finite,
  pool: Schema.String,
  rule: AlertRule,
  level: Schema.Literals(["warning", "critical"]),
  /** The number as it is now; 1 for a cause. */
  value: Schema.Finite,
  limit: Schema.Finite,
  message: Schema.String,
  recommendation: Schema.String,
  /** When what it is about began, as far as the pool can tell; it is raised later. */
  since: Schema.Finite,
  raisedAt: Schema.Finite,
  /** `null` while it stands. */
  clearedAt: Limit
})
/** @category models @since 0.1.0 */
export type Alert = typeof Alert.Type

/** `GET /alerts`. @category answers @since 0.1.0 */
export const Alerts = Schema.Struct({
  at: Schema.Finite,
  /** Those that stand, the critical first, then the oldest. */
  current: Schema.Array(Alert),
  /** Those cleared lately, the latest first. */
  cleared: Schema.Array(Alert)
})
/** @category answers @since 0.1.0 */
export type Alerts = typeof Alerts.Type

/** `GET /history`. @category answers @since 0.1.0 */
export const History = Schema.Struct({
  at: Schema.Finite,
  /** Changes with each start of the server. */
  instance: Schema.String,
  sampleInterval: Schema.Finite,
  /** The oldest first. */
  pools: Schema.Array(Schema.Struct({ name: Schema.String, samples: Schema.Array(Sample) }))
})
/** @category answers @since 0.1.0 */
export type History = typeof History.Type

/** The numbers of all pools in the words of many a pool's `getStats`. @category models @since 0.1.0 */
export const PlainStats = Schema.Struct({
  totalConnections: Schema.Finite,
  idleConnections: Schema.Finite,
  activeConnections: Schema.Finite,
  waitingRequests: Schema.Finite,
  /** Since the start, as the next two. */
  acquiredCount: Schema.Finite,
  releasedCount: Schema.Finite,
  errorCount: Schema.Finite,
  /** Mean wait for a connection since the start, ms. */
  avgAcquireTimeMs: Schema.Finite,
  /** Mean duration of statements, commands, requests and messages since the start, ms. */
  avgQueryTimeMs: Schema.Finite,
  /** Mean time that a connection was held since the start, ms. */
  avgHoldTimeMs: Schema.Finite
})
/** @category models @since 0.1.0 */
export type PlainStats = typeof PlainStats.Type

/** A caller that waits for a connection. @category models @since 0.1.0 */
export const QueueStats = Schema.Struct({
  pending: Schema.Finite,
  /** How many may wait at most, beyond those for whom a connection is being opened. */
  limit: Schema.Finite,
  /** How long the first has waited, ms. */
  oldestWaiter: Schema.Finite
})
/** @category models @since 0.1.0 */
export type QueueStats = typeof QueueStats.Type

/**
 * `GET /health`. What is there under two names is there for who comes from another pool, whose names those are.
 *
 * @category answers
 * @since 0.1.0
 */
export const Health = Schema.Struct({
  /** The fault and its remedy, in one or two sentences; of several pools the worst, and how many more. */
  summary: Schema.String,
  /** One for each pool that is not well, or was not a moment ago, the worst first. */
  diagnoses: Schema.Array(Schema.Struct({ pool: Schema.String, ...Diagnosis.fields })),
  status: Status,
  /** Whether the status is `healthy`. */
  healthy: Schema.Boolean,
  totalConnections: Schema.Finite,
  /** Those that are idle. */
  availableConnections: Schema.Finite,
  /** `utilization`. */
  utilizationPercent: Schema.Finite,
  /** `avgQueryTime`. */
  avgResponseTimeMs: Schema.Finite,
  /** 0 to 100. */
  score: Schema.Finite,
  /** 0 to 100. */
  utilization: Schema.Finite,
  /** Mean wait for a connection in the last one to two minutes, ms. */
  avgWaitTime: Schema.Finite,
  /** Mean duration of statements, commands, requests and messages in that time, ms. */
  avgQueryTime: Schema.Finite,
  /** Share of failed acquisitions and dials, or of operations that failed by the backend's doing, in that time, 0 to 1. */
  errorRate: Schema.Finite,
  warnings: Schema.Array(Warning),
  /** Each warning in one sentence, with the name of its pool and the remedy. */
  warningTexts: Schema.Array(Schema.String),
  stats: Schema.Struct({
    ...Fleet.fields,
    pool: PlainStats,
    queue: QueueStats,
    /** The connections of all pools, 100 at most; `/pools/:name/connections` has all of one. */
    connections: Schema.Array(Schema.Struct({ pool: Schema.String, ...Connection.fields }))
  }),
  pools: Schema.Array(Schema.Struct({ name: Schema.String, status: Status, score: Schema.Finite })),
  /** ISO 8601. */
  timestamp: Schema.String
})
/** @category answers @since 0.1.0 */
export type Health = typeof Health.Type

/** `GET /ready`. It names no pool, so that it can be open to everybody. @category answers @since 0.1.0 */
export const Ready = Schema.Struct({
  ready: Schema.Boolean,
  pools: Schema.Finite,
  /** Those from which callers can get a connection. */
  admitting: Schema.Finite
})
/** @category answers @since 0.1.0 */
export type Ready = typeof Ready.Type

/** `GET /live`. @category answers @since 0.1.0 */
export const Live = Schema.Struct({ live: Schema.Literal(true) })
/** @category answers @since 0.1.0 */
export type Live = typeof Live.Type

/** The body of `POST /pools/:name/warm-up`. @category requests @since 0.1.0 */
export const WarmUp = Schema.Struct({
  /** How many connections are to be open. By default the pool's `minConnections`. */
  count: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })))
})
/** @category requests @since 0.1.0 */
export type WarmUp = typeof WarmUp.Type

/** @category answers @since 0.1.0 */
export const WarmedUp = Schema.Struct({
  action: Schema.Literal("warm-up"),
  pool: Schema.String,
  /** How many connections are open. */
  open: Schema.Finite
})
/** @category answers @since 0.1.0 */
export type WarmedUp = typeof WarmedUp.Type

/** @category answers @since 0.1.0 */
export const Drained = Schema.Struct({ action: Schema.Literal("drain"), pool: Schema.String, report: DrainReport })
/** @category answers @since 0.1.0 */
export type Drained = typeof Drained.Type

/** @category answers @since 0.1.0 */
export const Done = Schema.Struct({
  action: Schema.Literals(["pause", "resume", "retire-all", "retire"]),
  pool: Schema.String
})
/** @category answers @since 0.1.0 */
export type Done = typeof Done.Type

/** Every answer that is not 2xx, except those of `/health` and `/ready`. @category answers @since 0.1.0 */
export const Failure = Schema.Struct({
  /** For programs. */
  error: Schema.Literals([
    "unauthorized",
    "forbidden",
    "not-found",
    "method-not-allowed",
    "too-many-attempts",
    "bad-request",
    "conflict",
    "body-too-large",
    "too-many-streams"
  ]),
  /** For people, on one line. */
  message: Schema.String
})
/** @category answers @since 0.1.0 */
export type Failure = typeof Failure.Type

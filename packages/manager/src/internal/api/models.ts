/**
 * One pool in the answers of the monitoring routes: its numbers, health, options and connections.
 */
import { causes } from "@effect-pools/core/PoolDiagnosis"
import * as PoolStats from "@effect-pools/core/PoolStats"
import * as Schema from "effect/Schema"
import { Limit, Text } from "./parts.ts"

/** @category models @since 0.1.0 */
export const Status = Schema.Literals(["healthy", "degraded", "unhealthy"])
/** @category models @since 0.1.0 */
export type Status = typeof Status.Type

/** @category models @since 0.1.0 */
export const PoolState = Schema.Literals(["open", "paused", "draining", "closed"])
/** @category models @since 0.1.0 */
export type PoolState = typeof PoolState.Type

/** The name of a pool's kind, which names the metrics too. @category models @since 0.1.0 */
export const Kind = Schema.String
/** @category models @since 0.1.0 */
export type Kind = typeof Kind.Type

/** A distribution of durations since the pool was made. @category models @since 0.1.0 */
export const Timing = Schema.Struct({
  count: Schema.Finite,
  mean: Schema.Finite,
  p50: Schema.Finite,
  p95: Schema.Finite,
  p99: Schema.Finite,
  max: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Timing = typeof Timing.Type

/** Counts since the pool was made; none of them ever falls. @category models @since 0.1.0 */
export const Counts: Schema.Codec<PoolStats.PoolCounts> = numbersLike(PoolStats.noCounts)

/** The same names with a number each. */
function numbersLike<A extends object>(like: A): Schema.Codec<A> {
  const fields = Object.entries(like).map(([name, value]) => [
    name,
    typeof value === "number" ? Schema.Finite : numbersLike<object>(value)
  ])
  // It has the names of `like`, and only these.
  return Schema.Struct(Object.fromEntries(fields)) as unknown as Schema.Codec<A>
}
/** @category models @since 0.1.0 */
export type Counts = typeof Counts.Type

/** How an operation ended. @category models @since 0.1.0 */
export const OperationEnd = Schema.Literals(["success", "rejected", "failed", "interrupted"])
/** @category models @since 0.1.0 */
export type OperationEnd = typeof OperationEnd.Type

/** How long statements, commands, requests and messages took since the pool was made. @category models @since 0.1.0 */
export const Operations = Schema.Struct({
  /** How long they took, without the wait for a connection. */
  time: Timing,
  /** The slowest of the last ten minutes, ten at most, the slowest first. */
  slowest: Schema.Array(Schema.Struct({
    kind: Schema.String,
    /** Its text without its values, cut to 100 characters. */
    text: Text,
    /** ms. */
    took: Schema.Finite,
    at: Schema.Finite,
    end: OperationEnd
  }))
})
/** @category models @since 0.1.0 */
export type Operations = typeof Operations.Type

/** The numbers of the last one to two minutes. @category models @since 0.1.0 */
export const Recent = Schema.Struct({
  /** How long that is, ms. */
  span: Schema.Finite,
  /** Acquisitions and dials, those that failed included. */
  attempts: Schema.Finite,
  failures: Schema.Finite,
  validated: Schema.Finite,
  failedToValidate: Schema.Finite,
  /** How long callers waited for a connection. */
  wait: Timing,
  /** Operations that ended without being interrupted, and those of them that failed by the backend's doing. */
  operations: Schema.Finite,
  failedOperations: Schema.Finite,
  /** Their mean duration, ms. */
  avgQueryTime: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Recent = typeof Recent.Type

const PerPriority = Schema.Struct({ high: Schema.Finite, normal: Schema.Finite, low: Schema.Finite })

/** The tags of a caller, absent without any. Internal to the models. */
export const Tags = Schema.optionalKey(Schema.Record(Schema.String, Schema.String))

/** The level of degradation, 0 to 4. @category models @since 0.1.0 */
export const Level = Schema.Literals([0, 1, 2, 3, 4])
/** @category models @since 0.1.0 */
export type Level = typeof Level.Type

/**
 * The callers that wait and that are served, by priority and for the twenty busiest keys. @category models @since 0.1.0
 */
export const Traffic = Schema.Struct({
  /** How much the pool gives up. */
  level: Level,
  /** Callers that wait. */
  pending: PerPriority,
  /** The part of the newcomers that is refused, 0 to 1. */
  refused: PerPriority,
  keys: Schema.Array(Schema.Struct({
    /** `null` for callers without a key. */
    key: Schema.NullOr(Schema.String),
    pending: Schema.Finite,
    used: Schema.Finite
  }))
})
/** @category models @since 0.1.0 */
export type Traffic = typeof Traffic.Type

/** One of the pools that a pool is made of. @category models @since 0.1.0 */
export const Member = Schema.Struct({
  name: Schema.String,
  /** Its part, such as `primary` and `replica`; `null` where all have the same. */
  role: Schema.NullOr(Schema.String),
  /** `in` if it serves callers, else why not. */
  state: Schema.String,
  /** Milliseconds that it is behind; `null` where it follows nobody, and if nobody knows. */
  lag: Schema.NullOr(Schema.Finite),
  used: Schema.Finite,
  idle: Schema.Finite,
  pending: Schema.Finite,
  total: Schema.Finite,
  limit: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Member = typeof Member.Type

/** The member of a cluster that takes the writes. @category models @since 0.1.0 */
export const Primary = Schema.Struct({
  /** `null` while there is none. */
  name: Schema.NullOr(Schema.String),
  /** Milliseconds since the epoch. */
  since: Schema.Finite,
  /** The one before it; `null` if there was none. */
  before: Schema.NullOr(Schema.String),
  /** Each promotion begins another. */
  timeline: Schema.Finite,
  changes: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Primary = typeof Primary.Type

/** The leases of one label that run the same statement, now and in the last one to two minutes. @category models @since 0.1.0 */
export const Borrower = Schema.Struct({
  label: Text,
  statement: Text,
  /** Connections that they hold now. */
  used: Schema.Finite,
  leases: Schema.Finite,
  /** For how long a lease holds its connection, ms. */
  mean: Schema.Finite,
  longest: Schema.Finite,
  /** Their part of all the time for which connections were lent, 0 to 1. */
  share: Schema.Finite,
  /** For how long the first in line waited while they held a connection, ms. */
  waits: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Borrower = typeof Borrower.Type

/** The bound that decides the live limit of a pool. @category models @since 0.1.0 */
export const LimitedBy = Schema.Literals(["maxConnections", "setLimit", "sizing", "server", "budget"])
/** @category models @since 0.1.0 */
export type LimitedBy = typeof LimitedBy.Type

/** The adaptive size of a pool: its moves, or those that it would make, and why. @category models @since 0.1.0 */
export const Sizing = Schema.Struct({
  mode: Schema.Literals(["advise", "apply"]),
  min: Schema.Finite,
  max: Schema.Finite,
  size: Schema.Finite,
  /** The size that it tries, or would try. */
  next: Schema.Finite,
  why: Schema.String,
  /** Leases a second. */
  rate: Schema.Finite,
  /** The leases a second that each size gave. */
  tried: Schema.Array(Schema.Struct({ size: Schema.Finite, rate: Schema.Finite, at: Schema.Finite })),
  moves: Schema.Array(
    Schema.Struct({ at: Schema.Finite, from: Schema.Finite, to: Schema.Finite, why: Schema.String })
  )
})
/** @category models @since 0.1.0 */
export type Sizing = typeof Sizing.Type

/** One of those that share a budget: a process, or a pool of one. @category models @since 0.1.0 */
export const BudgetMember = Schema.Struct({
  name: Text,
  /** The connections that it has or may open. */
  grant: Schema.Finite,
  wants: Schema.Finite,
  /** Whether it is the process that answers. */
  isSelf: Schema.Boolean
})
/** @category models @since 0.1.0 */
export type BudgetMember = typeof BudgetMember.Type

/** A pool's part in a budget of connections. @category models @since 0.1.0 */
export const Budget = Schema.Struct({
  name: Text,
  total: Schema.Finite,
  grant: Schema.Finite,
  wants: Schema.Finite,
  /** The connections that the other pools and processes hold. */
  othersHold: Schema.Finite,
  /** The number of these pools and processes. */
  others: Schema.Finite,
  store: Schema.Literals(["own", "shared", "away"]),
  /** Those that share it, the ones that hold most first: of a fleet, as the store said last. */
  members: Schema.Array(BudgetMember)
})
/** @category models @since 0.1.0 */
export type Budget = typeof Budget.Type

/** The numbers of a pool at one moment. @category models @since 0.1.0 */
export const Stats = Schema.Struct({
  name: Schema.String,
  state: PoolState,
  /** `opening + idle + checking + used + closing`: what counts against the limit. */
  total: Schema.Finite,
  used: Schema.Finite,
  idle: Schema.Finite,
  /** Callers that wait. */
  pending: Schema.Finite,
  opening: Schema.Finite,
  checking: Schema.Finite,
  closing: Schema.Finite,
  minConnections: Schema.Finite,
  maxConnections: Schema.Finite,
  /** The live limit, at most `maxConnections`. */
  limit: Schema.Finite,
  /** The bound that decides it. */
  limitedBy: LimitedBy,
  /** Its part in a budget of connections; missing if it shares none. */
  budget: Schema.optionalKey(Budget),
  /** `used` as a share of `limit`, 0 to 100. */
  utilization: Schema.Finite,
  oldestWaiter: Schema.Finite,
  /** Leases that are held for longer than `leakTimeout`. */
  overdue: Schema.Finite,
  breaker: Schema.Literals(["closed", "open"]),
  /** Counts since the pool was made. */
  counts: Counts,
  recent: Recent,
  /** How long callers waited for a connection. */
  wait: Timing,
  /** How long borrowers held a connection. */
  use: Timing,
  /** How long dials took. */
  open: Timing,
  validate: Timing,
  /** How long closed connections had lived. */
  lifetime: Timing,
  operations: Operations,
  /** The mean of `operations.time`, ms. */
  avgQueryTime: Schema.Finite,
  /** The callers that take the connections' time, the largest share first. */
  borrowers: Schema.Array(Borrower),
  /** The callers that wait and that are served, by what they say. */
  traffic: Traffic,
  /** The adaptive size; missing without the option `sizing`. */
  sizing: Schema.optionalKey(Sizing),
  /** The pools that it is made of, if it is. */
  members: Schema.optionalKey(Schema.Array(Member)),
  primary: Schema.optionalKey(Primary)
})
/** @category models @since 0.1.0 */
export type Stats = typeof Stats.Type

/** One thing that is not well with a pool: the number, the rule and the remedy. @category models @since 0.1.0 */
export const Warning = Schema.Struct({
  pool: Schema.String,
  about: Schema.Literals([
    "utilization",
    "queue",
    "wait",
    "connect",
    "breaker",
    "failures",
    "operations",
    "validation",
    "leak",
    "closed",
    "upstream",
    "verification",
    ...causes
  ]),
  level: Schema.Literals(["warning", "critical"]),
  value: Schema.Finite,
  message: Schema.String,
  remedy: Schema.String
})
/** @category models @since 0.1.0 */
export type Warning = typeof Warning.Type

/** Why a pool is not well, or was not a moment ago: one cause. @category models @since 0.1.0 */
export const Diagnosis = Schema.Struct({
  cause: Schema.Literals(causes),
  /** `critical` when callers fail or nobody can be served. */
  level: Schema.Literals(["warning", "critical"]),
  since: Schema.Finite,
  /** `null` while it lasts. */
  until: Limit,
  text: Schema.String,
  remedy: Schema.String
})
/** @category models @since 0.1.0 */
export type Diagnosis = typeof Diagnosis.Type

/** The health of one pool. @category models @since 0.1.0 */
export const PoolHealth = Schema.Struct({
  status: Status,
  /** 0 (unhealthy) to 100 (nothing to say). */
  score: Schema.Finite,
  /** Whether callers can get a connection. */
  isServing: Schema.Boolean,
  /** `null` where nothing is wrong. */
  diagnosis: Schema.NullOr(Diagnosis),
  utilization: Schema.Finite,
  /** Mean wait for a connection in the last one to two minutes, ms. */
  avgWaitTime: Schema.Finite,
  /** Mean duration of statements, commands, requests and messages in that time, ms. */
  avgQueryTime: Schema.Finite,
  /** Share of failed acquisitions and dials, or of operations that failed by the backend's doing, in that time, 0 to 1. */
  errorRate: Schema.Finite,
  warnings: Schema.Array(Warning)
})
/** @category models @since 0.1.0 */
export type PoolHealth = typeof PoolHealth.Type

/** The options of a pool as they are in force. Durations in ms. @category models @since 0.1.0 */
export const Config = Schema.Struct({
  minConnections: Schema.Finite,
  maxConnections: Schema.Finite,
  acquireTimeout: Schema.Finite,
  connectTimeout: Schema.Finite,
  validateTimeout: Schema.Finite,
  resetTimeout: Schema.Finite,
  closeTimeout: Schema.Finite,
  drainTimeout: Schema.Finite,
  idleTimeout: Schema.Finite,
  maxLifetime: Schema.Finite,
  maxLifetimeJitter: Schema.Finite,
  maxUses: Limit,
  freshnessWindow: Schema.Finite,
  pendingLimit: Schema.Finite,
  connectRate: Schema.Finite,
  breaker: Schema.Struct({
    failureRate: Schema.Finite,
    minimumDials: Schema.Finite,
    openDuration: Schema.Finite
  }),
  leakTimeout: Schema.Finite,
  reclaimTimeout: Limit,
  slowAcquireTimeout: Schema.Finite,
  startup: Schema.Literals(["failFast", "lazy"]),
  startupTimeout: Schema.Finite,
  eventBuffer: Schema.Finite,
  unref: Schema.Boolean,
  metrics: Schema.Boolean,
  sizing: Schema.Struct({
    mode: Schema.Literals(["off", "advise", "apply"]),
    min: Schema.Finite,
    max: Schema.Finite,
    start: Schema.Finite
  })
})
/** @category models @since 0.1.0 */
export type Config = typeof Config.Type

/** The numbers around one moment, for a chart. @category models @since 0.1.0 */
export const Sample = Schema.Struct({
  at: Schema.Finite,
  state: PoolState,
  status: Status,
  breaker: Schema.Literals(["closed", "open"]),
  /** The cause of what is not well, while it lasts. */
  cause: Schema.NullOr(Schema.Literals(causes)),
  used: Schema.Finite,
  idle: Schema.Finite,
  pending: Schema.Finite,
  opening: Schema.Finite,
  total: Schema.Finite,
  limit: Schema.Finite,
  /** Leases begun per second since the sample before. */
  acquireRate: Schema.Finite,
  /** Share of failed acquisitions and dials, or of operations the backend failed, since the sample before, 0 to 1. */
  failureRate: Schema.Finite,
  /**
   * Waits for a connection over the last samples, ms; `null` while nobody asked for one, and where a pool of somebody's
   * own making does not tell them.
   */
  wait: Schema.NullOr(Schema.Struct({ p50: Schema.Finite, p95: Schema.Finite, p99: Schema.Finite }))
})
/** @category models @since 0.1.0 */
export type Sample = typeof Sample.Type

/** Everything about a pool. @category models @since 0.1.0 */
export const Pool = Schema.Struct({
  name: Schema.String,
  kind: Kind,
  stats: Stats,
  health: PoolHealth,
  config: Config
})
/** @category models @since 0.1.0 */
export type Pool = typeof Pool.Type

/** One connection. @category models @since 0.1.0 */
export const Connection = Schema.Struct({
  id: Schema.Finite,
  /** `draining`: lent, and closed when it comes back. */
  state: Schema.Literals(["opening", "idle", "checking", "used", "draining", "closing"]),
  age: Schema.Finite,
  /** 0 unless it is idle. */
  idleFor: Schema.Finite,
  /** 0 unless it is lent. */
  heldFor: Schema.Finite,
  /** Whether a lease has had it longer than `leakTimeout`. */
  isLeakSuspected: Schema.Boolean,
  uses: Schema.Finite,
  errors: Schema.Finite,
  /** The label of the lease that holds it. */
  label: Text,
  /** The connector's tags, such as `pid`. */
  tags: Schema.Record(Schema.String, Schema.String),
  /** Its statement or request of the moment, cut to 100 characters. */
  activity: Text
})
/** @category models @since 0.1.0 */
export type Connection = typeof Connection.Type

/** A holder of a connection. @category models @since 0.1.0 */
export const Holder = Schema.Struct({ connection: Schema.Finite, label: Text, tags: Tags, held: Schema.Finite })
/** @category models @since 0.1.0 */
export type Holder = typeof Holder.Type

/** The report of a drain. @category models @since 0.1.0 */
export const DrainReport = Schema.Struct({
  took: Schema.Finite,
  served: Schema.Finite,
  refused: Schema.Finite,
  returned: Schema.Finite,
  abandoned: Schema.Array(Holder),
  closed: Schema.Finite,
  closesTimedOut: Schema.Finite
})
/** @category models @since 0.1.0 */
export type DrainReport = typeof DrainReport.Type

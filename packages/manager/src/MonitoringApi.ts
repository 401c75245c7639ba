/**
 * What the monitoring routes send, as schemas: enough to write a page or a client from this file alone.
 *
 * All paths are below the place where the routes are mounted, by default `/`. Durations are milliseconds, times are
 * milliseconds since the epoch, shares are 0 to 1 and utilizations 0 to 100. There is no secret in any of it. A pool's
 * name in a path is URL-encoded (`encodeURIComponent`).
 *
 * | verb and path | answer | status |
 * | --- | --- | --- |
 * | `GET /` and below | the dashboard's files | 200, 404 |
 * | `GET /live` | `Live`: the process answers | 200 |
 * | `GET /ready` | `Ready`: every pool admits callers | 200, 503 |
 * | `GET /health` | `Health`: all pools as one | 200 healthy, 503 degraded or unhealthy |
 * | `GET /metrics` | Prometheus text | 200 |
 * | `GET /pools` | `Pools`: the fleet and each pool | 200 |
 * | `GET /pools/:name` | `Pool` | 200, 404 |
 * | `GET /pools/:name/connections` | `Connections` | 200, 404 |
 * | `GET /history` | `History`: the samples of the last minutes, for charts | 200 |
 * | `GET /alerts` | `Alerts`: raised now, and cleared lately | 200 |
 * | `GET /events` | a stream of `Message`s, see below | 200, 503 too many streams |
 * | `POST /pools/:name/warm-up` | `WarmedUp`; takes `WarmUp` as JSON or no body | 200, 400, 404, 409 |
 * | `POST /pools/:name/drain` | `Drained`, once it is; the drain goes on if the client leaves | 200, 404 |
 * | `POST /pools/:name/pause`, `/resume`, `/retire-all` | `Done` | 200, 404 |
 * | `DELETE /pools/:name/connections/:id` | `Done` | 200, 404 |
 *
 * The last four exist only where a token was given and need the header `Authorization: Bearer <token>`: without it they
 * answer 401. Where reading needs the token as well (a server that is not on loopback), so do all others but `/live`,
 * `/ready` and the dashboard's files. Every answer that is not 2xx is a `Failure`, except 503 of `/health` and
 * `/ready`. 403 says that `Host` or `Origin` is not allowed, 413 that the body is too large.
 *
 * ## The stream
 *
 * `GET /events` sends server-sent events. The field `event` is the `_tag` of a `Message`, `data` is the message as JSON
 * on one line, and those that can be resumed from have an `id`. A comment (`: still here`) comes every `heartbeat` ms;
 * a client that hears nothing for three times as long should connect again. `EventSource` can't send `Authorization`:
 * where reading needs the token use `fetch` and read the body.
 *
 * 1. `Hello` comes first. Another `instance` than before says that the server is a new one: its counts begin anew.
 * 2. If the request had `Last-Event-ID`, what was missed comes next, or a `Gap` if that is no longer known.
 * 3. Then, as they happen: `Happened` (an event of a pool), `AlertRaised`, `AlertCleared`, and every
 *    `sampleInterval` ms `Sampled` with one sample of each pool.
 *
 * `?leases=true` adds `Acquired` and `Released` for each lease, of which there may be very many. They come beside the
 * others: `at` tells the order. A client that reads too slowly is disconnected.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Text = Schema.NullOr(Schema.String)
/** `null` where there is no limit. */
const Limit = Schema.NullOr(Schema.Finite)

/** @category models @since 0.1.0 */
export const Status = Schema.Literals(["healthy", "degraded", "unhealthy"])
/** @category models @since 0.1.0 */
export type Status = typeof Status.Type

/** @category models @since 0.1.0 */
export const PoolState = Schema.Literals(["open", "paused", "draining", "closed"])
/** @category models @since 0.1.0 */
export type PoolState = typeof PoolState.Type

/** What a pool is for: it names the metrics. @category models @since 0.1.0 */
export const Kind = Schema.Literals(["db", "redis", "http", "websocket", "service"])
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

const RetireReason = Schema.Literals([
  "idle",
  "lifetime",
  "ended",
  "broken",
  "invalid",
  "invalidated",
  "superseded",
  "shutdown"
])

/** Counts since the pool was made; none of them ever falls. @category models @since 0.1.0 */
export const Counts = Schema.Struct({
  acquiredAtOnce: Schema.Finite,
  acquiredAfterWaiting: Schema.Finite,
  timedOut: Schema.Finite,
  refused: Schema.Finite,
  interrupted: Schema.Finite,
  failed: Schema.Finite,
  ended: Schema.Struct({
    success: Schema.Finite,
    failure: Schema.Finite,
    defect: Schema.Finite,
    interrupt: Schema.Finite
  }),
  opened: Schema.Finite,
  closed: Schema.Finite,
  failedToOpen: Schema.Finite,
  closesTimedOut: Schema.Finite,
  retired: Schema.Struct({
    idle: Schema.Finite,
    lifetime: Schema.Finite,
    ended: Schema.Finite,
    broken: Schema.Finite,
    invalid: Schema.Finite,
    invalidated: Schema.Finite,
    superseded: Schema.Finite,
    shutdown: Schema.Finite
  }),
  validated: Schema.Finite,
  failedToValidate: Schema.Finite,
  failedToReset: Schema.Finite,
  leaksSuspected: Schema.Finite
})
/** @category models @since 0.1.0 */
export type Counts = typeof Counts.Type

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
  /** `used` as a share of `limit`, 0 to 100. */
  utilization: Schema.Finite,
  oldestWaiter: Schema.Finite,
  breaker: Schema.Literals(["closed", "open"]),
  counts: Counts,
  /** How long callers waited for a connection. */
  wait: Timing,
  /** How long borrowers held a connection. */
  use: Timing,
  /** How long dials took. */
  open: Timing,
  validate: Timing,
  /** How long closed connections had lived. */
  lifetime: Timing
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
    "validation",
    "leak",
    "closed",
    "upstream"
  ]),
  level: Schema.Literals(["warning", "critical"]),
  value: Schema.Finite,
  message: Schema.String,
  remedy: Schema.String
})
/** @category models @since 0.1.0 */
export type Warning = typeof Warning.Type

/** The health of one pool. @category models @since 0.1.0 */
export const PoolHealth = Schema.Struct({
  status: Status,
  /** 0 (unhealthy) to 100 (nothing to say). */
  score: Schema.Finite,
  utilization: Schema.Finite,
  /** Mean wait for a connection since the pool was made, ms. */
  responseTime: Schema.Finite,
  /** Share of failed acquisitions and dials since the pool was made, 0 to 1. */
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
  metrics: Schema.Boolean
})
/** @category models @since 0.1.0 */
export type Config = typeof Config.Type

/** What happened around one moment, for a chart. @category models @since 0.1.0 */
export const Sample = Schema.Struct({
  at: Schema.Finite,
  state: PoolState,
  status: Status,
  breaker: Schema.Literals(["closed", "open"]),
  used: Schema.Finite,
  idle: Schema.Finite,
  pending: Schema.Finite,
  opening: Schema.Finite,
  total: Schema.Finite,
  limit: Schema.Finite,
  /** Leases begun per second since the sample before. */
  acquireRate: Schema.Finite,
  /** Share of failed acquisitions and dials since the sample before, 0 to 1. */
  failureRate: Schema.Finite,
  /**
   * Waits for a connection over the last samples, ms, read from the buckets of the pool's metrics; `null` while nobody
   * asked for one, and where a pool has its metrics switched off.
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
  /** Mean wait over all leases, ms. */
  responseTime: Schema.Finite,
  /** Share of failed acquisitions and dials among all, 0 to 1. */
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

/** One connection. @category models @since 0.1.0 */
export const Connection = Schema.Struct({
  id: Schema.Finite,
  state: Schema.Literals(["opening", "idle", "checking", "used", "closing"]),
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
  /** What the connector says of it, such as `pid`. */
  tags: Schema.Record(Schema.String, Schema.String),
  /** What it runs, cut to 100 characters. */
  activity: Text
})
/** @category models @since 0.1.0 */
export type Connection = typeof Connection.Type

/** `GET /pools/:name/connections`. @category answers @since 0.1.0 */
export const Connections = Schema.Struct({
  at: Schema.Finite,
  pool: Schema.String,
  connections: Schema.Array(Connection)
})
/** @category answers @since 0.1.0 */
export type Connections = typeof Connections.Type

/** What an alert is about. @category models @since 0.1.0 */
export const AlertRule = Schema.Literals(["utilization", "unhealthy", "failures", "slowAcquires", "queue", "leak"])
/** @category models @since 0.1.0 */
export type AlertRule = typeof AlertRule.Type

/** Something a person should look at: raised once, and cleared when it is over. @category models @since 0.1.0 */
export const Alert = Schema.Struct({
  /** Never given twice by one server. */
  id: Schema.Finite,
  pool: Schema.String,
  rule: AlertRule,
  level: Schema.Literals(["warning", "critical"]),
  /** The number as it was last seen above its limit. */
  value: Schema.Finite,
  limit: Schema.Finite,
  message: Schema.String,
  recommendation: Schema.String,
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

/** `GET /health`. @category answers @since 0.1.0 */
export const Health = Schema.Struct({
  status: Status,
  /** 0 to 100. */
  score: Schema.Finite,
  /** 0 to 100. */
  utilization: Schema.Finite,
  /** Mean wait for a connection, ms. */
  responseTime: Schema.Finite,
  /** 0 to 1. */
  errorRate: Schema.Finite,
  warnings: Schema.Array(Warning),
  stats: Fleet,
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
  /** Those that are open and not unhealthy. */
  admitting: Schema.Finite
})
/** @category answers @since 0.1.0 */
export type Ready = typeof Ready.Type

/** `GET /live`. @category answers @since 0.1.0 */
export const Live = Schema.Struct({ live: Schema.Literal(true) })
/** @category answers @since 0.1.0 */
export type Live = typeof Live.Type

/** Who holds a connection. @category models @since 0.1.0 */
export const Holder = Schema.Struct({ connection: Schema.Finite, label: Text, held: Schema.Finite })
/** @category models @since 0.1.0 */
export type Holder = typeof Holder.Type

/** What a drain did. @category models @since 0.1.0 */
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

const common = { pool: Schema.String, at: Schema.Finite }
const ofConnection = { ...common, connection: Schema.Finite }
const failed = { ...ofConnection, cause: Schema.String }

/**
 * Everything that can happen in a pool. A `cause` is the message of an error, on one line and cut.
 *
 * @category events
 * @since 0.1.0
 */
export const PoolEvent = Schema.Union([
  Schema.TaggedStruct("Opened", { ...ofConnection, took: Schema.Finite }),
  Schema.TaggedStruct("OpenFailed", { ...failed, attempt: Schema.Finite, retryIn: Schema.Finite }),
  Schema.TaggedStruct("Acquired", { ...ofConnection, label: Text, waited: Schema.Finite }),
  Schema.TaggedStruct("Released", {
    ...ofConnection,
    label: Text,
    held: Schema.Finite,
    end: Schema.Literals(["success", "failure", "defect", "interrupt"])
  }),
  Schema.TaggedStruct("AcquiredSlowly", { ...ofConnection, label: Text, waited: Schema.Finite }),
  Schema.TaggedStruct("AcquireTimedOut", { ...common, label: Text, waited: Schema.Finite }),
  Schema.TaggedStruct("ValidateFailed", failed),
  Schema.TaggedStruct("ResetFailed", failed),
  Schema.TaggedStruct("Retired", { ...ofConnection, because: RetireReason }),
  Schema.TaggedStruct("Closed", { ...ofConnection, lived: Schema.Finite }),
  Schema.TaggedStruct("CloseFailed", failed),
  Schema.TaggedStruct("LeakSuspected", {
    ...ofConnection,
    label: Text,
    held: Schema.Finite,
    takenAt: Schema.Array(Schema.String)
  }),
  Schema.TaggedStruct("LeakEnded", { ...ofConnection, label: Text, held: Schema.Finite }),
  Schema.TaggedStruct("BreakerOpened", { ...common, retryAfter: Schema.Finite }),
  Schema.TaggedStruct("BreakerClosed", common),
  /** The breaker that pools share could not be read or written; this pool went on with its own. */
  Schema.TaggedStruct("BreakerStoreFailed", { ...common, cause: Schema.String }),
  Schema.TaggedStruct("HealthChecked", { ...common, checked: Schema.Finite, failed: Schema.Finite }),
  Schema.TaggedStruct("Paused", common),
  Schema.TaggedStruct("Resumed", common),
  Schema.TaggedStruct("AllRetired", { ...common, generation: Schema.Finite }),
  Schema.TaggedStruct("LimitChanged", { ...common, limit: Schema.Finite }),
  Schema.TaggedStruct("DrainStarted", common),
  Schema.TaggedStruct("Drained", { ...common, report: DrainReport }),
  Schema.TaggedStruct("ClockLeapt", { ...common, by: Schema.Finite }),
  /** Only of a pool that balances over others; `upstream` is the name of one of those. */
  Schema.TaggedStruct("UpstreamEjected", {
    ...common,
    upstream: Schema.String,
    because: Schema.Literals(["consecutiveFailures", "failureRate"]),
    forMillis: Schema.Finite
  }),
  Schema.TaggedStruct("UpstreamReturned", { ...common, upstream: Schema.String })
])
/** @category events @since 0.1.0 */
export type PoolEvent = typeof PoolEvent.Type

/**
 * What the stream sends. `_tag` is the field `event` of the server-sent event.
 *
 * @category events
 * @since 0.1.0
 */
export const Message = Schema.Union([
  /** Always the first. */
  Schema.TaggedStruct("Hello", {
    at: Schema.Finite,
    /** Changes with each start of the server. */
    instance: Schema.String,
    /** Whether the routes that change something exist. */
    actions: Schema.Boolean,
    heartbeat: Schema.Finite,
    sampleInterval: Schema.Finite
  }),
  /** What happened between `Last-Event-ID` and now is not known any more: read `/pools` and `/alerts` again. */
  Schema.TaggedStruct("Gap", { at: Schema.Finite }),
  Schema.TaggedStruct("Happened", { event: PoolEvent }),
  Schema.TaggedStruct("AlertRaised", { alert: Alert }),
  Schema.TaggedStruct("AlertCleared", { alert: Alert }),
  /** Has no `id`: the next one makes up for a lost one. */
  Schema.TaggedStruct("Sampled", {
    at: Schema.Finite,
    fleet: Fleet,
    pools: Schema.Array(Schema.Struct({ name: Schema.String, sample: Sample }))
  })
])
/** @category events @since 0.1.0 */
export type Message = typeof Message.Type

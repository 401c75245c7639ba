/**
 * The events of the monitoring's stream.
 */
import * as Schema from "effect/Schema"
import { Alert, Fleet } from "./answers.ts"
import { DrainReport, Level, LimitedBy, OperationEnd, Sample, Tags } from "./models.ts"
import { Text } from "./parts.ts"

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

const common = { pool: Schema.String, at: Schema.Finite }
const ofConnection = { ...common, connection: Schema.Finite }
/** The caller's label, and its tags if it has any. */
const ofLease = { label: Text, tags: Tags }
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
  Schema.TaggedStruct("Acquired", { ...ofConnection, ...ofLease, waited: Schema.Finite }),
  Schema.TaggedStruct("Released", {
    ...ofConnection,
    ...ofLease,
    held: Schema.Finite,
    end: Schema.Literals(["success", "failure", "defect", "interrupt"])
  }),
  Schema.TaggedStruct("AcquiredSlowly", { ...ofConnection, ...ofLease, waited: Schema.Finite }),
  Schema.TaggedStruct("AcquireTimedOut", { ...common, ...ofLease, waited: Schema.Finite }),
  Schema.TaggedStruct("ValidateFailed", failed),
  Schema.TaggedStruct("ResetFailed", failed),
  Schema.TaggedStruct("Retired", { ...ofConnection, because: RetireReason }),
  Schema.TaggedStruct("Closed", { ...ofConnection, lived: Schema.Finite }),
  Schema.TaggedStruct("CloseFailed", failed),
  Schema.TaggedStruct("LeakSuspected", {
    ...ofConnection,
    ...ofLease,
    held: Schema.Finite,
    takenAt: Schema.Array(Schema.String)
  }),
  Schema.TaggedStruct("LeakEnded", { ...ofConnection, ...ofLease, held: Schema.Finite }),
  /** Only in streams that ask for operations, which those of these routes do not. */
  Schema.TaggedStruct("Operated", {
    ...ofConnection,
    kind: Schema.String,
    end: OperationEnd,
    took: Schema.Finite,
    text: Text,
    status: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite])),
    count: Schema.NullOr(Schema.Finite)
  }),
  Schema.TaggedStruct("WarmedUp", { ...common, open: Schema.Finite }),
  Schema.TaggedStruct("BreakerOpened", { ...common, retryAfter: Schema.Finite }),
  Schema.TaggedStruct("BreakerClosed", common),
  /** The breaker that pools share could not be read or written; dials go on without it. */
  Schema.TaggedStruct("BreakerStoreFailed", { ...common, cause: Schema.String }),
  Schema.TaggedStruct("HealthChecked", { ...common, checked: Schema.Finite, failed: Schema.Finite }),
  Schema.TaggedStruct("Paused", common),
  Schema.TaggedStruct("Resumed", common),
  Schema.TaggedStruct("AllRetired", { ...common, generation: Schema.Finite }),
  Schema.TaggedStruct("LimitChanged", {
    ...common,
    limit: Schema.Finite,
    from: Schema.Finite,
    limitedBy: LimitedBy,
    why: Schema.String
  }),
  /** The store that processes share a budget by does not answer: what was granted last holds. */
  Schema.TaggedStruct("BudgetStoreLost", { ...common, budget: Schema.String, cause: Schema.String }),
  /** It answers again, so many milliseconds later. */
  Schema.TaggedStruct("BudgetStoreBack", { ...common, budget: Schema.String, away: Schema.Finite }),
  /** Callers wait too long, and a part of them is refused, 0 to 1. */
  Schema.TaggedStruct("SheddingChanged", {
    ...common,
    refused: Schema.Struct({ normal: Schema.Finite, low: Schema.Finite })
  }),
  /** How much the pool gives up, 0 to 4. */
  Schema.TaggedStruct("DegradationChanged", {
    ...common,
    level: Level,
    from: Level,
    isManual: Schema.Boolean
  }),
  Schema.TaggedStruct("QueueCleared", { ...common, failed: Schema.Finite }),
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
  Schema.TaggedStruct("UpstreamReturned", { ...common, upstream: Schema.String }),
  Schema.TaggedStruct("UpstreamJoined", { ...common, upstream: Schema.String, weight: Schema.Finite }),
  Schema.TaggedStruct("UpstreamLeft", { ...common, upstream: Schema.String }),
  /** Only of a cluster: another of its members takes the writes, or none does. */
  Schema.TaggedStruct("PrimaryChanged", {
    ...common,
    from: Schema.NullOr(Schema.String),
    to: Schema.NullOr(Schema.String),
    timeline: Schema.Finite
  })
])
/** @category events @since 0.1.0 */
export type PoolEvent = typeof PoolEvent.Type

/** Somebody with the token has changed a pool over HTTP. @category events @since 0.1.0 */
export const Acted = Schema.TaggedStruct("Acted", {
  at: Schema.Finite,
  pool: Schema.String,
  /** Such as `pause`; `retire` is of one connection. */
  action: Schema.String,
  /** The address at the other end of the socket, which may be a proxy's. */
  client: Schema.String,
  /** The request's `X-Forwarded-For`, which anybody can write. */
  forwardedFor: Text
})
/** @category events @since 0.1.0 */
export type Acted = typeof Acted.Type

/**
 * The events of the stream. `_tag` is the field `event` of the server-sent event.
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
  /** The events between `Last-Event-ID` and now are not known any more: read `/pools` and `/alerts` again. */
  Schema.TaggedStruct("Gap", { at: Schema.Finite }),
  Schema.TaggedStruct("Happened", { event: PoolEvent }),
  Schema.TaggedStruct("AlertRaised", { alert: Alert }),
  Schema.TaggedStruct("AlertCleared", { alert: Alert }),
  Acted,
  /** Has no `id`: the next one makes up for a lost one. */
  Schema.TaggedStruct("Sampled", {
    at: Schema.Finite,
    fleet: Fleet,
    pools: Schema.Array(Schema.Struct({ name: Schema.String, sample: Sample }))
  })
])
/** @category events @since 0.1.0 */
export type Message = typeof Message.Type

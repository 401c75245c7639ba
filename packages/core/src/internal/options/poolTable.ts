/**
 * The options of every pool, one entry each: rule, default, form in the configuration and documentation. The check, the
 * defaults, the merge with what is given, the schema and the comments of `PoolOptions` are all made of this table.
 */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import type { PoolConfig, PoolOptions } from "../model/config.ts"
import type { SizingConfig, SizingOptions } from "../model/sizing.ts"
import type { TrafficConfig, TrafficRules } from "../model/traffic.ts"
import * as PoolThresholds from "../../PoolThresholds.ts"
import * as Entry from "./entry.ts"
import { sizingTable } from "./sizingTable.ts"
import { trafficTable } from "./trafficTable.ts"

/** Every option with a value. */
export type Complete = Omit<PoolConfig, "kind" | "isDatabase">

type Group<Option extends keyof PoolOptions & keyof Complete> = Entry.Group<
  NonNullable<PoolOptions[Option]>,
  Complete[Option],
  Complete
>

const seconds = 1_000
const minutes = 60 * seconds

/** A pool in which many connections come and go must be able to replace them. */
export const connectRateFor = (maxConnections: number): number => Math.max(50, Math.min(200, 2.5 * maxConnections))

const below = (fallback: number, limit: number): number => fallback < limit ? fallback : limit / 2

const given = (...ends: ReadonlyArray<number>): ReadonlyArray<number> => ends.filter((end) => Number.isFinite(end))

const healthCheck = Schedule.spaced(45 * seconds)

const breaker: Group<"breaker"> = Entry.group({
  failureRate: Entry.value(Entry.part, 0.5, {
    does: "Opens when this share of the last dials failed, above 0 and at most 1.",
    tooSmall: "single failures stop all dials.",
    tooLarge: "a backend that is down is dialled on and on."
  }),
  minimumDials: Entry.count([1], 10, {
    does: "How many dials it judges by, at least 1.",
    unit: "dials",
    tooSmall: "it opens on a few failures that say nothing.",
    tooLarge: "it opens late."
  }),
  openDuration: Entry.duration(5 * seconds, {
    does: "How long it stays open before one dial may try.",
    tooSmall: "a backend that is down is dialled often.",
    tooLarge: "callers are refused although the backend is back."
  })
}, { does: "The breaker around dials: while it is open, callers that would need a dial fail at once." })

const entries: Entry.Table<PoolOptions, Complete, Complete> = {
  name: Entry.value(
    {
      expects: "a text of 1 to 200 characters without control characters",
      is: (value) => typeof value === "string" && /^[^\p{Cc}]{1,200}$/u.test(value) && value.trim() !== ""
    },
    "pool",
    {
      does: "The pool's name in metrics, events and pages, 200 characters at most.",
      defaults: "By default the id of the service class."
    }
  ),
  minConnections: Entry.count([0, 100_000], 1, {
    does: "Connections kept open whatever the load, at least 0 and at most `maxConnections`.",
    unit: "connections",
    isByKind: true,
    tooSmall: "the first callers after a quiet time wait for a dial.",
    tooLarge: "the server keeps sessions nobody uses.",
    yields: ({ maxConnections, minConnections, sizing }) =>
      Math.min(minConnections, maxConnections, ...given(sizing.min, sizing.max))
  }),
  maxConnections: Entry.count([1, 100_000], 8, {
    does: "The most connections ever open, those being opened and closed included, at least 1.",
    unit: "connections",
    isByKind: true,
    note:
      "A burst on a cold pool dials once for each caller that waits, up to this and as fast as `connectRate` allows, since " +
      "nobody knows how long the first will keep theirs; a dial whose turn comes when nobody wants it any more is not made.",
    tooSmall: "callers queue.",
    tooLarge: "the server slows down or refuses; count the other instances of the program too.",
    yields: ({ maxConnections, minConnections, sizing }) =>
      Math.max(maxConnections, minConnections, ...given(sizing.min, sizing.max, sizing.start))
  }),
  acquireTimeout: Entry.duration(30 * seconds, {
    does: "How long a caller waits for a connection.",
    tooSmall: "callers fail in a burst that the pool would have served.",
    tooLarge: "callers hang in an outage."
  }),
  connectTimeout: Entry.duration(10 * seconds, {
    does: "How long one dial may take in all, look-up and login included.",
    note: "It may exceed `acquireTimeout`: a dial belongs to the pool and serves whoever waits when it is done.",
    tooSmall: "a slow server is never reached.",
    tooLarge: "dials to a host that swallows packets hold places of the pool."
  }),
  validateTimeout: Entry.duration(1 * seconds, {
    does: "How long a validation may take, at most `acquireTimeout`.",
    tooSmall: "slow networks look dead.",
    tooLarge: "a caller loses its time on a dead connection.",
    yields: ({ acquireTimeout, validateTimeout }) => Math.min(validateTimeout, acquireTimeout)
  }),
  resetTimeout: Entry.duration(1 * seconds, {
    does: "How long a reset after a lease may take.",
    tooSmall: "connections are retired that were fine.",
    tooLarge: "a connection that hangs keeps its place."
  }),
  closeTimeout: Entry.duration(5 * seconds, {
    does: "How long a close may take before the pool gives it up and frees its place.",
    tooSmall: "sockets are torn down without a farewell and the server keeps its session for a while.",
    tooLarge: "closes that hang hold places."
  }),
  drainTimeout: Entry.duration(10 * seconds, {
    does: "How long a drain waits for waiters and borrowers.",
    tooSmall: "work is cut off.",
    tooLarge: "whoever stops the process kills it first."
  }),
  idleTimeout: Entry.duration(3 * minutes, {
    does:
      "A connection beyond `minConnections` that is idle for so long is retired; those that the minimum needs are kept, " +
      "proven by the health check and renewed at `maxLifetime`.",
    isByKind: true,
    note: "It must not exceed `maxLifetime`.",
    tooSmall: "connections come and go with every lull.",
    tooLarge: "the server keeps sessions that only a burst needed.",
    yields: ({ idleTimeout, maxLifetime }) => Math.min(idleTimeout, maxLifetime)
  }),
  maxLifetime: Entry.duration(20 * minutes, {
    does: "A connection older than this is replaced, a lent one when it comes back.",
    isByKind: true,
    note: "Where there is room the replacement is open first, so none grows older than this and one dial. Where " +
      "`minConnections` is all there may be, they are replaced one after the other: of so many that end together the last is " +
      "older by as many dials.",
    tooSmall: "dials for nothing.",
    tooLarge: "changes of address, load balance and credentials are followed late.",
    yields: ({ idleTimeout, maxLifetime }) => Math.max(maxLifetime, idleTimeout)
  }),
  maxLifetimeJitter: Entry.value(Entry.upTo(1), 0.1, {
    does: "Each connection's lifetime is shortened by a random share of up to this, 0 to 1.",
    tooSmall: "connections opened together end together.",
    tooLarge: "many end long before `maxLifetime`."
  }),
  maxUses: Entry.count([1], Infinity, {
    does: "A connection is retired after so many leases, at least 1.",
    unit: "leases",
    defaults: "By default leases are not limited.",
    tooSmall: "dials for nothing."
  }),
  freshnessWindow: Entry.delay(1 * seconds, {
    does: "A connection proven within this time is lent without validation.",
    note: "0 validates before every lease.",
    tooSmall: "callers wait for validations.",
    tooLarge: "a connection that died meanwhile is lent."
  }),
  pendingLimit: Entry.count([0], 1_000, {
    does: "How many callers may wait beyond those for whom a connection is already being opened.",
    unit: "callers",
    note: "0 lets nobody wait for another's connection.",
    tooSmall: "a burst is refused that would have been served.",
    tooLarge: "callers queue up that will time out anyway."
  }),
  connectRate: Entry.value(Entry.positive, connectRateFor(8), {
    does: "Dials per second at most, whatever they are for; so many may also be made at once.",
    unit: "dials a second",
    defaults: "Default: 2.5 for each of `maxConnections`, but at least 50 and at most 200.",
    tooSmall:
      "a cold pool fills slowly, and connections that are used up (`maxUses`) or break are not replaced as fast as " +
      "they go.",
    tooLarge: "a server that comes back is stormed.",
    // A kind may have a rate of its own, whatever the number of connections.
    yields: ({ connectRate, maxConnections }, base) =>
      connectRate === connectRateFor(base.maxConnections) ? connectRateFor(maxConnections) : connectRate
  }),
  retry: Entry.value<PoolConfig["retry"], Complete>(
    { expects: "a Schedule", is: Schedule.isSchedule },
    Schedule.exponential("1 second").pipe(Schedule.jittered, Schedule.upTo({ times: 2 })),
    {
      does: "The delays between attempts to connect, shared by all waiters.",
      defaults: "Default: 3 attempts, 1 s exponential with jitter.",
      note:
        "When it ends, callers that wait while no connection is open fail with `ConnectFailed`, and it begins anew. A delay " +
        "of more than an hour is cut to an hour, so that a pool is never left without attempts."
    }
  ),
  breaker,
  healthCheck: Entry.converted(
    {
      expects: "a finite duration greater than 0, such as \"30 seconds\", or a Schedule",
      is: (value) => Schedule.isSchedule(value) || Entry.isDuration(value)
    },
    healthCheck,
    (given: Duration.Input | Schedule.Schedule<unknown>) => Schedule.isSchedule(given) ? given : Schedule.spaced(given),
    {
      does: "How often idle connections are probed, every one of them: a duration or a schedule.",
      unit: "duration",
      shows: "45 s",
      isByKind: true,
      note:
        "A caller that comes while the only idle one is probed waits for its answer, or for a new connection if there is " +
        "room for one. Its timer keeps a Node.js process alive, as the sockets do, unless `unref` says otherwise: a pool ends with its " +
        "scope, and a program by closing it.",
      tooSmall: "probes for nothing.",
      tooLarge: "a backend that hangs is noticed by the next caller."
    }
  ),
  leakTimeout: Entry.duration(1 * minutes, {
    does: "A lease held longer raises a warning.",
    note: "It must be less than `reclaimTimeout`.",
    tooSmall: "honest long work raises warnings; mark it `isLongLived`.",
    tooLarge: "a leak is noticed when the pool is empty.",
    yields: ({ leakTimeout, reclaimTimeout }) => below(leakTimeout, reclaimTimeout)
  }),
  reclaimTimeout: Entry.duration(Infinity, {
    does: "A lease held longer loses its connection, which is closed under it.",
    defaults: "Off by default.",
    note:
      "Where callers share a connection, nobody more joins it, and it is closed when all who still have it have held it " +
      "longer.",
    tooSmall: "honest long work is cut off.",
    tooLarge: "a leak keeps its connection for as long."
  }),
  slowAcquireTimeout: Entry.duration(1 * seconds, {
    does: "A caller that got its connection later raises a warning.",
    note: "It must be less than `acquireTimeout`.",
    tooSmall: "every burst raises warnings.",
    tooLarge: "callers feel it first.",
    yields: ({ acquireTimeout, slowAcquireTimeout }) => below(slowAcquireTimeout, acquireTimeout)
  }),
  startup: Entry.oneOf(["failFast", "lazy"], "failFast", {
    does: "`\"failFast\"`: the layer is ready when `minConnections` are open and fails if that takes longer than " +
      "`startupTimeout`. `\"lazy\"`: the layer is ready at once and connections are opened beside."
  }),
  startupTimeout: Entry.duration(10 * seconds, {
    does: "How long `minConnections` may take to open before the layer fails.",
    note: "Without effect, and so refused, when `startup` is `\"lazy\"` or `minConnections` is 0.",
    tooSmall: "a start fails that would have succeeded.",
    tooLarge: "a start in an outage hangs."
  }),
  // The room of the buffer is taken at once: a slip of a few zeros must not exhaust the memory.
  eventBuffer: Entry.count([1, 1_000_000], 1_024, {
    does: "How many events a slow reader may lag behind before it loses the oldest, at least 1.",
    unit: "events",
    tooSmall: "readers miss events.",
    tooLarge: "each slow reader keeps as many in memory."
  }),
  unref: Entry.flag(false, {
    does:
      "Whether a Node.js process may end while the pool is idle: its timers and sockets then keep it alive only while " +
      "a connection is lent, opened, checked or closed, or a caller waits. A process that ends so does not drain the pool, and " +
      "whatever else watches it keeps the process alive: a manager's routes, a `PostgresCluster`."
  }),
  metrics: Entry.flag(true, { does: "Whether the pool publishes metrics." }),
  traffic: Entry.group<TrafficRules, TrafficConfig, Complete>(trafficTable, {
    does: "The rules by which callers that wait are served or, when they wait too long, refused.",
    defaults:
      "By default priorities and keys that callers tell with `Traffic` order the queue, nobody is refused for them, " +
      "and callers that tell nothing are served first come, first served."
  }),
  sizing: Entry.group<SizingOptions, SizingConfig, Complete>(sizingTable, {
    does:
      "The search for the number of connections that help: while callers wait and nearly all connections are lent, the pool " +
      "changes its live limit by a tenth, and keeps the change only if that pays in leases a second.",
    defaults: "Off by default."
  }),
  // A rule beside the table checks it, which tells which of its numbers is wrong.
  thresholds: Entry.converted({ expects: "anything", is: () => true }, undefined, PoolThresholds.make, {
    does:
      "From which numbers on the pool is not well: `\"calm\"`, `\"strict\"` or numbers of your own, see `PoolThresholds`. " +
      "`health` warns by them, and a manager raises its alerts.",
    defaults: "Default `\"calm\"`."
  })
}

// Code that goes through all of it does without the types of the single options, which are checked above.
export const poolTable: Entry.AnyTable = entries as unknown as Entry.AnyTable

/**
 * The defaults of the options, apart from the module that documents them so that the rules can name them too.
 */
import * as Schedule from "effect/Schedule"
import type { PoolConfig } from "../model/config.ts"

/** Every option with a value. */
export type Defaults = Omit<PoolConfig, "kind" | "isDatabase" | "name">

const seconds = 1_000
const minutes = 60 * seconds

/** The defaults of a pool of any service, from which those of a kind may differ. */
export const common: Defaults = Object.freeze({
  minConnections: 1,
  maxConnections: 8,
  idleTimeout: 3 * minutes,
  maxLifetime: 20 * minutes,
  healthCheck: Schedule.spaced(45 * seconds),
  acquireTimeout: 30_000,
  connectTimeout: 10_000,
  validateTimeout: 1_000,
  resetTimeout: 1_000,
  closeTimeout: 5_000,
  drainTimeout: 10_000,
  maxLifetimeJitter: 0.1,
  maxUses: Infinity,
  freshnessWindow: 1_000,
  pendingLimit: 1_000,
  connectRate: 50,
  retry: Schedule.exponential("1 second").pipe(Schedule.jittered, Schedule.upTo({ times: 2 })),
  breaker: Object.freeze({ failureRate: 0.5, minimumDials: 10, openDuration: 5_000 }),
  leakTimeout: 60_000,
  reclaimTimeout: Infinity,
  slowAcquireTimeout: 1_000,
  startup: "failFast",
  startupTimeout: 10_000,
  eventBuffer: 1_024,
  metrics: true,
  traffic: Object.freeze({
    slack: Object.freeze({ high: 0, normal: 1_000, low: 5_000 }),
    share: Object.freeze({ high: 1, normal: 1, low: 1 }),
    places: Object.freeze({ high: 1.1, normal: 1, low: 0.5 }),
    weights: Object.freeze({}),
    maxShare: 1,
    shedAfter: Infinity,
    degradation: "manual",
    degradedWait: 1_000,
    retryBudget: Infinity
  }),
  thresholds: undefined
})

/** The names of all options of a pool. */
export const optionNames: ReadonlyArray<string> = ["name", ...Object.keys(common)]

/** A pool in which many connections come and go must be able to replace them. */
export const connectRateFor = (maxConnections: number): number =>
  Math.max(common.connectRate, Math.min(200, 2.5 * maxConnections))

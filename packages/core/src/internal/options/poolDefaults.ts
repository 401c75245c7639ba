/**
 * The defaults of the options, apart from the module that documents them so that the rules can name them too.
 */
import * as Schedule from "effect/Schedule"
import type { PoolConfig, PoolKind } from "../model/config.ts"

type Limits = Pick<PoolConfig, "minConnections" | "maxConnections" | "idleTimeout" | "maxLifetime" | "healthCheck">

/** What every pool has by default, whatever its kind. */
export const common: Omit<PoolConfig, "kind" | "name" | keyof Limits> = {
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
  metrics: true
}

const seconds = 1_000
const minutes = 60 * seconds

/** What differs by kind. */
export const limits: Readonly<Record<PoolKind, Limits>> = {
  db: {
    minConnections: 2,
    maxConnections: 20,
    idleTimeout: 5 * minutes,
    maxLifetime: 60 * minutes,
    healthCheck: Schedule.spaced(30 * seconds)
  },
  redis: {
    minConnections: 2,
    maxConnections: 15,
    idleTimeout: 5 * minutes,
    maxLifetime: 45 * minutes,
    healthCheck: Schedule.spaced(30 * seconds)
  },
  http: {
    minConnections: 1,
    maxConnections: 10,
    idleTimeout: 2 * minutes,
    maxLifetime: 30 * minutes,
    healthCheck: Schedule.spaced(60 * seconds)
  },
  websocket: {
    minConnections: 1,
    maxConnections: 5,
    idleTimeout: 10 * minutes,
    maxLifetime: 120 * minutes,
    healthCheck: Schedule.spaced(15 * seconds)
  },
  service: {
    minConnections: 1,
    maxConnections: 8,
    idleTimeout: 3 * minutes,
    maxLifetime: 20 * minutes,
    healthCheck: Schedule.spaced(45 * seconds)
  }
}

/** The names of all options of a pool. */
export const optionNames: ReadonlyArray<string> = ["name", ...Object.keys(common), ...Object.keys(limits.service)]

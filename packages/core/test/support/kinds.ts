import type { PoolKind } from "@effect-pools/core"

const seconds = 1000
const minutes = 60 * seconds

const kind = (
  name: string,
  [minConnections, maxConnections, idle, lifetime, check]: readonly [number, number, number, number, number],
  isDatabase = false
): PoolKind.PoolKind => ({
  name,
  isDatabase,
  defaults: {
    minConnections,
    maxConnections,
    idleTimeout: idle * minutes,
    maxLifetime: lifetime * minutes,
    healthCheck: check * seconds
  }
})

/** Kinds as backends hand them over. */
export const db = kind("db", [2, 20, 5, 60, 30], true)
export const redis = kind("redis", [2, 15, 5, 45, 30], true)
export const http = kind("http", [1, 10, 2, 30, 60])
export const websocket = kind("websocket", [1, 5, 10, 120, 15])

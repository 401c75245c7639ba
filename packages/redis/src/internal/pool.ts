/**
 * A pool of Redis connections, as the parts of this package hand it on.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { RedisConnection } from "./connectionModel.ts"

export type Pool = ConnectionPool<RedisConnection>

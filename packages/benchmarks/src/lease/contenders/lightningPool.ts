/** lightning-pool, with its own defaults: no limit on waiting, at most 1000 callers in the queue, no `reset`. */
import * as Effect from "effect/Effect"
import { Pool } from "lightning-pool"
import type { Connection, Connections } from "../connections.ts"
import { type Contender, poolSize } from "../contender.ts"
import { driveBare, driveEffect } from "../../drive.ts"

// It is filled before anybody borrows: a caller that comes while it fills makes it open one more than its `max`.
const open = async (connections: Connections) => {
  const pool = new Pool<Connection>({
    create: async () => connections.open(),
    destroy: async (connection: Connection) => connections.close(connection)
  }, { min: poolSize, max: poolSize })
  pool.start()
  while (pool.size < poolSize) await new Promise((resolve) => setImmediate(resolve))
  return { pool, close: () => pool.closeAsync() }
}

export const lightningPoolBare: Contender = {
  name: "lightning-pool",
  way: "bare",
  async setUp(connections) {
    const { close, pool } = await open(connections)
    return {
      run(callers, total, body) {
        return driveBare(callers, total, async () => {
          const connection = await pool.acquire()
          try {
            return await body.bare(connection)
          } finally {
            pool.release(connection)
          }
        })
      },
      close
    }
  }
}

export const lightningPoolInEffect: Contender = {
  name: "lightning-pool in Effect",
  way: "inEffect",
  async setUp(connections) {
    const { close, pool } = await open(connections)
    const acquire = Effect.tryPromise(() => pool.acquire())
    const release = (connection: Connection) => Effect.sync(() => pool.release(connection))
    return {
      run: (callers, total, body) =>
        driveEffect(callers, total, () => Effect.acquireUseRelease(acquire, body.effect, release)),
      close
    }
  }
}

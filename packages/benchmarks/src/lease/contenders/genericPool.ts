/** generic-pool, with its own defaults: no limit on waiting, nothing checked on borrow, no eviction. */
import * as Effect from "effect/Effect"
import genericPool from "generic-pool"
import type { Connection, Connections } from "../connections.ts"
import { type Contender, poolSize } from "../contender.ts"
import { driveBare, driveEffect } from "../../drive.ts"

const open = async (connections: Connections, size = poolSize) => {
  const pool = genericPool.createPool<Connection>({
    create: async () => connections.open(),
    destroy: async (connection) => connections.close(connection)
  }, { min: size, max: size })
  await pool.ready()
  const close = async () => {
    await pool.drain()
    await pool.clear()
  }
  return { pool, close }
}

// `release` gives the connection back before it returns. Its promise has nothing to wait for, so nobody waits for it:
// generic-pool's own `use` does the same.

export const genericPoolBare: Contender = {
  name: "generic-pool",
  way: "bare",
  async setUp(connections, size) {
    const { close, pool } = await open(connections, size)
    return {
      run(callers, total, body) {
        return driveBare(callers, total, async () => {
          const connection = await pool.acquire()
          try {
            return await body.bare(connection)
          } finally {
            void pool.release(connection)
          }
        })
      },
      close
    }
  }
}

export const genericPoolInEffect: Contender = {
  name: "generic-pool in Effect",
  way: "inEffect",
  async setUp(connections, size) {
    const { close, pool } = await open(connections, size)
    const acquire = Effect.tryPromise(() => pool.acquire())
    const release = (connection: Connection) => Effect.sync(() => void pool.release(connection))
    return {
      run: (callers, total, body) =>
        driveEffect(callers, total, () => Effect.acquireUseRelease(acquire, body.effect, release)),
      close
    }
  }
}

/** tarn, with its own defaults: it limits the wait to 30 s and asks a trivial `validate` before each lease. */
import * as Effect from "effect/Effect"
import { Pool } from "tarn"
import type { Connection, Connections } from "../connections.ts"
import { type Contender, poolSize } from "../contender.ts"
import { driveBare, driveEffect } from "../../drive.ts"

const open = (connections: Connections) => {
  const pool = new Pool<Connection>({
    create: async () => connections.open(),
    destroy: (connection: Connection) => connections.close(connection),
    min: poolSize,
    max: poolSize
  })
  const close = async () => {
    await pool.destroy()
  }
  return { pool, close }
}

export const tarnBare: Contender = {
  name: "tarn",
  way: "bare",
  async setUp(connections) {
    const { close, pool } = open(connections)
    return {
      run(callers, total, body) {
        return driveBare(callers, total, async () => {
          const connection = await pool.acquire().promise
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

export const tarnInEffect: Contender = {
  name: "tarn in Effect",
  way: "inEffect",
  async setUp(connections) {
    const { close, pool } = open(connections)
    const acquire = Effect.tryPromise(() => pool.acquire().promise)
    const release = (connection: Connection) => Effect.sync(() => pool.release(connection))
    return {
      run: (callers, total, body) =>
        driveEffect(callers, total, () => Effect.acquireUseRelease(acquire, body.effect, release)),
      close
    }
  }
}

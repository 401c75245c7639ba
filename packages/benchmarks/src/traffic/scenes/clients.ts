/** Pools of ten connections, each used in the way that its callers' patience is told to it. */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pool from "effect/Pool"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import { EventEmitter } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import PgPool from "pg-pool"
import { Pool as TarnPool } from "tarn"

export const poolSize = 10

interface Call {
  readonly priority: Traffic.Priority
  readonly fairKey: string
  /** How long it holds the connection, in milliseconds. */
  readonly lease: number
  /** Told when it gets the connection. */
  readonly begins: () => void
}

export interface Client {
  /** Fails if there was no connection in time. */
  call(call: Call): Promise<void>
  close(): Promise<void>
}

export type MakeClient = (patience: number) => Promise<Client>

/** A pool of ours with connections that cost nothing. */
export const openPool = (
  scope: Scope.Closeable,
  options: PoolOptions
): Promise<ConnectionPool.ConnectionPool<object>> =>
  Effect.runPromise(Scope.provide(
    ConnectionPool.make({ connect: () => Effect.succeed({}), validate: () => Effect.void, reset: () => undefined }, {
      name: "bench",
      minConnections: poolSize,
      maxConnections: poolSize,
      metrics: false,
      ...options
    }),
    scope
  ))

type Told = "deadline" | "acquireTimeout" | "Effect.timeout"

/** Ours, told by one of three ways how long a caller waits; callers may say nothing of themselves, as before. */
export const ours = (told: Told, traffic: PoolOptions["traffic"], isTold = true): MakeClient => async (patience) => {
  const scope = Scope.makeUnsafe()
  const pool = await openPool(scope, {
    pendingLimit: 10_000,
    acquireTimeout: told === "acquireTimeout" ? patience : "30 seconds",
    slowAcquireTimeout: told === "acquireTimeout" ? patience / 2 : "20 seconds",
    traffic
  })
  return {
    call({ begins, fairKey, lease, priority }) {
      const work = pool.withConnection(() => Effect.andThen(Effect.sync(begins), Effect.sleep(lease)))
      const deadline = told === "deadline" ? patience : undefined
      const whole = told === "Effect.timeout" ? Effect.timeout(work, patience) : work
      const said = isTold ? Traffic.with(whole, { priority, fairKey, deadline }) : whole
      return Effect.runPromise(Effect.asVoid(said))
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** No pool: whoever comes while a connection is free has it, and nobody waits. What the machine itself leaves of the capacity. */
export const noPoolClient: MakeClient = async () => {
  let free = poolSize
  return {
    async call({ begins, lease }) {
      if (free === 0) throw new Error("all are busy")
      free--
      begins()
      await sleep(lease)
      free++
    },
    close: async () => {}
  }
}

export const genericPoolClient: MakeClient = async (patience) => {
  const pool = genericPool.createPool<object>({ create: async () => ({}), destroy: async () => {} }, {
    min: poolSize,
    max: poolSize,
    acquireTimeoutMillis: patience,
    priorityRange: Traffic.priorities.length
  })
  await pool.ready()
  return {
    async call({ begins, lease, priority }) {
      const connection = await pool.acquire(Traffic.priorities.indexOf(priority))
      begins()
      await sleep(lease)
      void pool.release(connection)
    },
    async close() {
      await pool.drain()
      await pool.clear()
    }
  }
}

export const tarnClient: MakeClient = async (patience) => {
  const pool = new TarnPool<object>({
    create: async () => ({}),
    destroy: () => {},
    min: poolSize,
    max: poolSize,
    acquireTimeoutMillis: patience
  })
  return {
    async call({ begins, lease }) {
      const connection = await pool.acquire().promise
      begins()
      await sleep(lease)
      pool.release(connection)
    },
    close: () => pool.destroy().then(() => {})
  }
}

/** As much of a `pg` client as pg-pool asks for. */
class IdleClient extends EventEmitter {
  connect(done: (error?: Error) => void): void {
    setImmediate(done)
  }
  end(done?: () => void): void {
    done?.()
  }
}

export const pgPoolClient: MakeClient = async (patience) => {
  // The type asks for a whole `pg` client, of which the pool calls these two members.
  const options = { Client: IdleClient as never, max: poolSize, connectionTimeoutMillis: patience }
  const pool = new PgPool(options)
  return {
    async call({ begins, lease }) {
      const client = await pool.connect()
      begins()
      await sleep(lease)
      client.release()
    },
    close: () => pool.end()
  }
}

export const effectPoolClient: MakeClient = async (patience) => {
  const scope = Scope.makeUnsafe()
  const pool = await Effect.runPromise(
    Scope.provide(Pool.make({ acquire: Effect.succeed({}), size: poolSize }), scope)
  )
  return {
    call({ begins, lease }) {
      const work = Pool.use(pool, () => Effect.andThen(Effect.sync(begins), Effect.sleep(lease)))
      return Effect.runPromise(Effect.timeout(work, patience))
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

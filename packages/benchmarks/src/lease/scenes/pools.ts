/** Pools of any size whose waiters can be begun and left waiting. */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as Effect from "effect/Effect"
import * as Pool from "effect/Pool"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import { Pool as LightningPool } from "lightning-pool"
import { Pool as TarnPool } from "tarn"
import { makeConnections } from "../connections.ts"
import { makeConnector } from "../contenders/effectPools.ts"

interface Held {
  /** Begins a wait for a connection and gives what must be kept of it. */
  readonly wait: () => unknown
}

export interface Kind {
  readonly name: string
  /** A wait for nothing, of the sort that its waiters are: a fiber or a promise. */
  readonly waitForNothing: () => unknown
  /** Opens so many connections, all idle. */
  readonly open: (size: number) => Promise<Held>
}

const never = Effect.callback<never>(() => {})
const fiberOfNothing = (): unknown => Effect.runFork(never)
const promiseOfNothing = (): unknown => new Promise(() => {})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

let made = 0

const ours: Kind = {
  name: "effect-pools",
  waitForNothing: fiberOfNothing,
  async open(size) {
    const pool = await Effect.runPromise(Scope.provide(
      ConnectionPool.make(makeConnector(makeConnections()), {
        name: `bench ${++made}`,
        connectRate: 1_000_000,
        startupTimeout: "1 minute",
        minConnections: size,
        maxConnections: size,
        pendingLimit: 1_000_000,
        acquireTimeout: "10 minutes"
      }),
      Scope.makeUnsafe()
    ))
    const lease = pool.withConnection(() => Effect.never)
    return { wait: () => Effect.runFork(lease) }
  }
}

const effectPool: Kind = {
  name: "Effect Pool.use",
  waitForNothing: fiberOfNothing,
  async open(size) {
    const connections = makeConnections()
    const acquire = Effect.sync(connections.open)
    const pool = await Effect.runPromise(
      Scope.provide(Pool.makeWithTTL({ acquire, min: size, max: size, timeToLive: "5 minutes" }), Scope.makeUnsafe())
    )
    while (connections.opened < size) await turn()
    const lease = Pool.use(pool, () => Effect.never)
    return { wait: () => Effect.runFork(lease) }
  }
}

const generic: Kind = {
  name: "generic-pool",
  waitForNothing: promiseOfNothing,
  async open(size) {
    const { open } = makeConnections()
    const pool = genericPool.createPool({ create: async () => open(), destroy: async () => {} }, {
      min: size,
      max: size
    })
    await pool.ready()
    return { wait: () => pool.acquire() }
  }
}

const tarn: Kind = {
  name: "tarn",
  waitForNothing: promiseOfNothing,
  async open(size) {
    const { open } = makeConnections()
    const pool = new TarnPool({ create: async () => open(), destroy: () => {}, min: 0, max: size })
    const all = await Promise.all(Array.from({ length: size }, () => pool.acquire().promise))
    all.forEach((connection) => pool.release(connection))
    return { wait: () => pool.acquire().promise }
  }
}

const lightning: Kind = {
  name: "lightning-pool",
  waitForNothing: promiseOfNothing,
  async open(size) {
    const { open } = makeConnections()
    const pool = new LightningPool({ create: async () => open(), destroy: async () => {} }, {
      min: size,
      max: size,
      maxQueue: 1_000_000
    })
    await pool.start()
    while (pool.size < size) await turn()
    return { wait: () => pool.acquire() }
  }
}

export const kinds: ReadonlyArray<Kind> = [ours, effectPool, generic, tarn, lightning]

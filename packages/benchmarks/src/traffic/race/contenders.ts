/**
 * The ways to lease of the race: our pool as it was before it knew traffic, without any, with traffic said around the callers
 * or with each lease, and generic-pool with priorities.
 */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import type { Body } from "../../lease/bodies.ts"
import type { Connection, Connections } from "../../lease/connections.ts"
import { poolSize, type Running } from "../../lease/contender.ts"
import { firstCome } from "./firstCome.ts"

export interface Contender {
  readonly name: string
  setUp(connections: Connections): Promise<Running>
}

const priorities = ["high", "normal", "low"] as const
const trafficOf = (caller: number) => ({ priority: priorities[caller % 3]!, fairKey: `key ${caller % 10}` })

const connectorOf = (connections: Connections): Connector<Connection> => ({
  connect: () =>
    Effect.acquireRelease(
      Effect.sync(connections.open),
      (connection) => Effect.sync(() => connections.close(connection))
    ),
  validate: () => Effect.void,
  isBroken: (connection) => connection.isBroken,
  reset: () => undefined
})

type Say = "nothing" | "around" | "on the lease"

/** Loops of callers that share the leases, each of which may be told apart. */
const drive = (
  pool: ConnectionPool.ConnectionPool<Connection>,
  say: Say,
  [callers, total]: readonly [callers: number, total: number],
  body: Body
): Effect.Effect<number, unknown> => {
  const share = Math.ceil(total / callers)
  const loop = Effect.fnUntraced(function*(caller: number) {
    const options = say === "on the lease" ? trafficOf(caller) : undefined
    let sum = 0
    for (let i = 0; i < share; i++) sum += yield* pool.withConnection(body.effect, options)
    return sum
  })
  const all = Effect.forEach(
    Array.from({ length: callers }, (_, caller) => caller),
    (caller) => say === "around" ? Traffic.with(loop(caller), trafficOf(caller)) : loop(caller),
    { concurrency: "unbounded" }
  )
  return Effect.map(all, (sums) => sums.reduce((total, sum) => total + sum, 0))
}

const ours = (name: string, say: Say, context: Context.Context<never> = Context.empty()): Contender => ({
  name,
  async setUp(connections) {
    const scope = Scope.makeUnsafe()
    const options = { name: "bench", minConnections: poolSize, maxConnections: poolSize, pendingLimit: 100_000 }
    const made = ConnectionPool.make(connectorOf(connections), options)
    const pool = await Effect.runPromise(Scope.provide(made, scope).pipe(Effect.provideContext(context)))
    return {
      run: (callers, total, body) => Effect.runPromise(drive(pool, say, [callers, total], body)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})

const openGeneric = async (connections: Connections) => {
  const pool = genericPool.createPool<Connection>({
    create: async () => connections.open(),
    destroy: async (connection) => connections.close(connection)
  }, { min: poolSize, max: poolSize, priorityRange: priorities.length })
  await pool.ready()
  return pool
}

const closeGeneric = async (pool: genericPool.Pool<Connection>): Promise<void> => {
  await pool.drain()
  await pool.clear()
}

const genericPriorities: Contender = {
  name: "generic-pool",
  async setUp(connections) {
    const pool = await openGeneric(connections)
    return {
      async run(callers, total, body) {
        const share = Math.ceil(total / callers)
        const loop = async (_: unknown, caller: number) => {
          let sum = 0
          for (let i = 0; i < share; i++) {
            const connection = await pool.acquire(caller % 3)
            try {
              sum += await body.bare(connection)
            } finally {
              void pool.release(connection)
            }
          }
          return sum
        }
        const sums = await Promise.all(Array.from({ length: callers }, loop))
        return sums.reduce((total, sum) => total + sum, 0)
      },
      close: () => closeGeneric(pool)
    }
  }
}

const genericPrioritiesInEffect: Contender = {
  name: "generic-pool in Effect",
  async setUp(connections) {
    const pool = await openGeneric(connections)
    const release = (connection: Connection) => Effect.sync(() => void pool.release(connection))
    return {
      run(callers, total, body) {
        const share = Math.ceil(total / callers)
        const loop = Effect.fnUntraced(function*(caller: number) {
          const acquire = Effect.tryPromise(() => pool.acquire(caller % 3))
          let sum = 0
          for (let i = 0; i < share; i++) sum += yield* Effect.acquireUseRelease(acquire, body.effect, release)
          return sum
        })
        const all = Effect.forEach(Array.from({ length: callers }, (_, caller) => caller), loop, {
          concurrency: "unbounded"
        })
        return Effect.runPromise(Effect.map(all, (sums) => sums.reduce((total, sum) => total + sum, 0)))
      },
      close: () => closeGeneric(pool)
    }
  }
}

export const contenders: ReadonlyArray<Contender> = [
  ours("before", "nothing", firstCome),
  ours("unset", "nothing"),
  ours("around", "around"),
  ours("on the lease", "on the lease"),
  genericPriorities,
  genericPrioritiesInEffect
]

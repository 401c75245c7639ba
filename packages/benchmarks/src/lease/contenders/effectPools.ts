/** Our engine as it comes: defaults everywhere, so with every limit, count, event and watch on. */
import * as ConnectionBudget from "@effect-pools/core/ConnectionBudget"
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Connection, Connections } from "../connections.ts"
import { type Contender, poolSize, type Running } from "../contender.ts"
import { driveEffect } from "../../drive.ts"

// Every step a real connector has, each as cheap as it can be: the engine calls them all.
export const makeConnector = (connections: Connections): Connector<Connection> => ({
  connect: () =>
    Effect.acquireRelease(
      Effect.sync(connections.open),
      (connection) => Effect.sync(() => connections.close(connection))
    ),
  validate: () => Effect.void,
  isBroken: (connection) => connection.isBroken,
  reset: () => undefined
})

/** More callers and more connections at once than a pool has by default. */
const forScenes = { pendingLimit: 1_000_000, connectRate: 1_000_000, startupTimeout: "1 minute" } as const

export const effectPools: Contender = {
  name: "effect-pools",
  way: "ours",
  setUp: (connections, size) => setUp(connections, size, {}, undefined)
}

/** Finds its size, which the range leaves as it is: the same connections as without. */
const sizing: PoolOptions = { sizing: { mode: "apply", min: poolSize } }

/** A budget with room for all that the pool may have. */
const budget = ConnectionBudget.layer({ total: 10 * poolSize })

const variant = (name: string, options: PoolOptions, shares: typeof budget | undefined): Contender => ({
  name,
  way: "ours",
  setUp: (connections, size) => setUp(connections, size, options, shares)
})

/** Ours with what decides how many connections there may be. */
export const sizedPools: ReadonlyArray<Contender> = [
  variant("sizing", sizing, undefined),
  variant("budget", {}, budget),
  variant("sizing and budget", sizing, budget)
]

const setUp = async (
  connections: Connections,
  size: number | undefined,
  options: PoolOptions,
  shares: typeof budget | undefined
): Promise<Running> => {
  const scope = Scope.makeUnsafe()
  const make = ConnectionPool.make(makeConnector(connections), {
    kind: { name: "db", isDatabase: true },
    name: "bench",
    minConnections: size ?? poolSize,
    maxConnections: size ?? poolSize,
    ...(size === undefined ? {} : forScenes),
    ...options
  })
  const shared = shares === undefined
    ? make
    : Effect.flatMap(Layer.build(shares), (context) => Effect.provideContext(make, context))
  const pool = await Effect.runPromise(Scope.provide(shared, scope))
  return {
    run: (callers, total, body) => driveEffect(callers, total, () => pool.withConnection(body.effect)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

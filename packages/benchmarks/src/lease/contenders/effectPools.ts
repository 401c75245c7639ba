/** Our engine as it comes: defaults everywhere, so with every limit, count, event and watch on. */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import type { Connector } from "@effect-pools/core/Connector"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Connection, Connections } from "../connections.ts"
import { type Contender, poolSize } from "../contender.ts"
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
  async setUp(connections, size) {
    const scope = Scope.makeUnsafe()
    const pool = await Effect.runPromise(Scope.provide(
      ConnectionPool.make(makeConnector(connections), {
        kind: { name: "db", isDatabase: true },
        name: "bench",
        minConnections: size ?? poolSize,
        maxConnections: size ?? poolSize,
        ...(size === undefined ? {} : forScenes)
      }),
      scope
    ))
    return {
      run: (callers, total, body) => driveEffect(callers, total, () => pool.withConnection(body.effect)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

import type { ConnectionPool } from "@effect-pools/core"
import { ConnectionManager } from "@effect-pools/manager"
import { GatedConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Scope } from "effect"
import { Cache, Db, isolated, pools } from "./support.ts"

describe("a drain in real time", () => {
  it.live("with a pool whose close hangs ends at the deadline, and the other pool long before", () =>
    Effect.gen(function*() {
      const stuck = GatedConnector.make({ initial: { close: "never" } })
      const { cache } = pools()
      const options: ConnectionPool.MakeOptions = { minConnections: 1, closeTimeout: "1 second" }
      const layer = ConnectionManager.layer({ pools: [Db, Cache], drainTimeout: "300 millis" }).pipe(
        Layer.provideMerge(Layer.merge(Db.layer(stuck.connector, options), Cache.layer(cache.connector, options))),
        Layer.provide(isolated)
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      const report = yield* Effect.provide(ConnectionManager.drain(), context)
      assert.isFalse(report.isComplete)
      assert.isBelow(report.took, 900)
      assert.deepStrictEqual(report.pools.map(({ pool, report }) => [pool, report?.closed]), [
        ["app/Db", undefined],
        ["app/Cache", 1]
      ])
      assert.isBelow(report.pools[1]?.report?.took ?? Infinity, 300)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([stuck.fake.leaked, cache.leaked], [0, 0])
    }))

  it.live("is over at the manager's deadline, and the pools' layers do not wait once more", () =>
    Effect.gen(function*() {
      const stuck = GatedConnector.make({ initial: { close: "never" } })
      const { cache } = pools()
      const options: ConnectionPool.MakeOptions = { minConnections: 1, closeTimeout: "5 seconds" }
      const layer = ConnectionManager.layer({ pools: [Db, Cache], drainTimeout: "500 millis" }).pipe(
        Layer.provideMerge(Layer.merge(Db.layer(stuck.connector, options), Cache.layer(cache.connector, options))),
        Layer.provide(isolated)
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      yield* Effect.forkScoped(Effect.provide(Cache.withConnection(() => Effect.never), context), {
        startImmediately: true
      })
      const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.isBelow(Duration.toMillis(took), 1500)
      assert.deepStrictEqual([stuck.fake.leaked, cache.leaked], [0, 0])
    }).pipe(Effect.scoped))
})

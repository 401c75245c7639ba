import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool, type PoolEvent, PoolService } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"

describe("PoolService.telling", () => {
  it.effect("a kind's own events are among those of its pool, with its name and the time, and end with it", () =>
    Effect.gen(function*() {
      for (const how of ["drain", "scope"] as const) {
        const backend = FakeConnector.make()
        const scope = yield* Scope.make()
        const { pool, tell } = yield* Scope.provide(
          Effect.flatMap(
            ConnectionPool.make(backend.connector, { name: "own", minConnections: 0 }),
            PoolService.telling
          ),
          scope
        )
        const events: Array<PoolEvent.PoolEvent> = []
        const reader = yield* Effect.forkChild(
          Stream.runForEach(pool.eventsWith({ leases: false }), (event) => Effect.sync(() => void events.push(event))),
          { startImmediately: true }
        )
        yield* pool.withConnection(() => Effect.void)
        tell({ _tag: "PrimaryChanged", from: "a", to: "b", timeline: 2 })
        if (how === "drain") yield* pool.drain
        yield* Scope.close(scope, Exit.void)
        // The stream is over, or this would wait for ever.
        yield* Fiber.join(reader)
        const told = events.find(({ _tag }) => _tag === "PrimaryChanged")
        assert.deepInclude(told, { pool: "own", at: 0, from: "a", to: "b", timeline: 2 }, how)
        assert.isTrue(events.some(({ _tag }) => _tag === "Opened"), how)
        assert.strictEqual(backend.opened - backend.closed, 0, how)
      }
    }))
})

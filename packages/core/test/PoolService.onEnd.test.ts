import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool, PoolService } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Exit, Scope } from "effect"

describe("PoolService.onEnd", () => {
  it.effect("a member's own end comes before the drain, and before the connections when the scope closes", () =>
    Effect.gen(function*() {
      for (const how of ["drain", "scope"] as const) {
        const backend = FakeConnector.make()
        const scope = yield* Scope.make()
        const openAt: Array<number> = []
        const pool = yield* Scope.provide(
          Effect.flatMap(
            ConnectionPool.make(backend.connector, { minConnections: 1 }),
            (pool) => PoolService.onEnd(pool, Effect.sync(() => void openAt.push(backend.opened - backend.closed)))
          ),
          scope
        )
        if (how === "drain") yield* pool.drain
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(openAt[0], 1, how)
        assert.strictEqual(backend.opened - backend.closed, 0, how)
      }
    }))
})

import { ConnectionPool } from "@effect-pools/core"
import * as FakeConnector from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, ManagedRuntime, Scope } from "effect"

const options = { minConnections: 0, maxConnections: 1 } as const

const all = 20_000

/** Two callers that contend for one connection with bodies of one promise turn each: how many leases a timer of 10 ms outlasts. */
const leasesBeforeTimer = async (
  pool: ConnectionPool.ConnectionPool<FakeConnector.FakeConnection>
): Promise<number> => {
  let done = 0
  let before = Infinity
  setTimeout(() => {
    before = done
  }, 10)
  const lease = pool.withConnection(() => Effect.promise(() => Promise.resolve(1)))
  const caller = async () => {
    while (done < all) {
      await Effect.runPromise(lease)
      done++
      if (before < Infinity) return
    }
  }
  await Promise.all([caller(), caller()])
  return before
}

class Fakes extends ConnectionPool.Service<Fakes, FakeConnector.FakeConnection>()("test/Fakes") {}

describe("ConnectionPool: made synchronously", () => {
  it("lets the event loop turn, made by Effect.runSync", async () => {
    const scope = Effect.runSync(Scope.make())
    const pool = Effect.runSync(Scope.provide(ConnectionPool.make(FakeConnector.make().connector, options), scope))
    assert.isBelow(await leasesBeforeTimer(pool), all / 2)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("lets the event loop turn, made by ManagedRuntime.runSync", async () => {
    const runtime = ManagedRuntime.make(Fakes.layer(FakeConnector.make().connector, options))
    const pool = runtime.runSync(Effect.gen(function*() {
      return yield* Fakes
    }))
    assert.isBelow(await leasesBeforeTimer(pool), all / 2)
    await runtime.dispose()
  })
})

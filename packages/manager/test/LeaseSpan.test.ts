import { LeaseSpan } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Db, pools } from "./support.ts"

const waitOfSpan = Effect.map(Effect.orDie(Effect.currentSpan), ({ attributes }) => attributes.get("pool.wait"))

describe("the span of a lease", () => {
  it.effect("tells how long the wait was, also when the clock is set back meanwhile", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let setBack = 0n
      const nanos = () => clock.currentTimeNanosUnsafe() - setBack
      const warped: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: nanos,
        currentTimeNanos: Effect.sync(nanos),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      }
      const end = yield* Deferred.make<void>()
      yield* Effect.forkScoped(Db.withConnection(() => Deferred.await(end)))
      yield* TestClock.adjust(0)
      const lease = yield* Effect.forkScoped(
        Effect.provideService(LeaseSpan.withConnection(Db, () => waitOfSpan), Clock.Clock, warped)
      )
      yield* TestClock.adjust(30)
      setBack = 3_600_000_000_000n
      yield* Deferred.succeed(end, undefined)
      assert.strictEqual(yield* Fiber.join(lease), 30)
    }).pipe(Effect.scoped, Effect.provide(pools({ db: { maxConnections: 1 } }).layer)))
})

/**
 * Events of a kind's own beside those of its pool.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { PoolTime } from "../base/time.ts"
import type { EventOptions } from "../model/connection.ts"
import type { ConnectionPool } from "../model/pool.ts"
import { EventHub, type WithoutCommon } from "../watch/events.ts"
import type { PoolEvent } from "../../PoolEvent.ts"

/**
 * A pool whose `events` have those of a kind's own among them, and the function that tells one. They end with the pool.
 *
 * @category constructors
 * @since 0.1.0
 */
export const telling = <Pool extends ConnectionPool<any>>(
  pool: Pool
): Effect.Effect<
  { readonly pool: Pool; readonly tell: (event: WithoutCommon<PoolEvent>) => void },
  never,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const time = new PoolTime(yield* Clock.Clock)
    const hub = new EventHub(pool.config.eventBuffer)
    const end = Effect.sync(() => hub.end())
    yield* Effect.addFinalizer(() => end)
    const eventsWith = (options: EventOptions | undefined): Stream.Stream<PoolEvent> =>
      Stream.merge(hub.stream(options), pool.eventsWith(options))
    return {
      pool: { ...pool, events: eventsWith(undefined), eventsWith, drain: Effect.ensuring(pool.drain, end) },
      tell: (event) => hub.publish({ pool: pool.name, at: time.date(), ...event } as PoolEvent)
    }
  })

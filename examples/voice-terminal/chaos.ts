/** Kills and revives one server after the other, and waits each time until its pool is well again. */
import { ConnectionManager } from "@effect-pools/manager"
import type { ManagedPool } from "@effect-pools/manager/Manager"
import { Clock, Console, Effect, Schedule } from "effect"
import { Backends } from "./backends/all.ts"
import type { Backend } from "./backends/Backend.ts"

/** How long all is well before the first server is killed. */
export const calm = "5 seconds"

/** One round through all servers, after some seconds of normal work. */
export const round = Effect.gen(function*() {
  yield* Console.log(`-- all is well for ${calm}, then one server after the other is killed`)
  yield* Effect.sleep(calm)
  const { all } = yield* Backends
  for (const backend of all) {
    yield* strike(backend, yield* ConnectionManager.get(backend.pool ?? backend.name))
    yield* Effect.sleep("2 seconds")
  }
})

const strike = Effect.fnUntraced(function*(backend: Backend, pool: ManagedPool) {
  yield* Console.log(`-- ${backend.name}: the server is killed`)
  // Whoever ends the program in between finds all servers up: what was served is still to be read.
  yield* Effect.onInterrupt(Effect.andThen(backend.kill, Effect.sleep("2 seconds")), () => backend.revive)
  yield* backend.revive
  const revived = yield* Clock.currentTimeMillis
  yield* Effect.repeat(isWell(pool), { schedule: Schedule.spaced("20 millis"), until: (well: boolean) => well }).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => Effect.die(new Error(`${backend.name} has not recovered`))
    })
  )
  const took = (yield* Clock.currentTimeMillis) - revived
  yield* Console.log(`-- ${backend.name}: the server is back, and ${took} ms later so is the pool`)
})

const isWell = (pool: ManagedPool) =>
  Effect.map(
    pool.stats,
    ({ breaker, checking, idle, minConnections, used }) =>
      breaker === "closed" && idle + used + checking >= Math.max(1, minConnections)
  )

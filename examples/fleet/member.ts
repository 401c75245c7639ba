/**
 * One process of the fleet: a pool under the budget that all of them share, and as many callers as its parent says.
 *
 * Its clock may be minutes off (`CLOCK_OFF`), as those of machines are.
 */
import { ConnectionBudget } from "@effect-pools/core"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Config, Effect, Fiber, Layer, Logger, Schedule } from "effect"
import type { Orders, Told } from "./protocol.ts"

class Db extends PostgresPool.Service<Db>()("app/Db") {}
class Shared extends RedisPool.Service<Shared>()("app/Shared") {}

const failures = new Map<string, number>()
let served = 0
const callers: Array<Fiber.Fiber<unknown>> = []

/** A caller that holds a connection for a moment, again and again: long enough that many of them leave a small machine idle. */
const caller = Db.query`SELECT pg_sleep(0.2)`.pipe(
  Effect.match({
    onSuccess: () => void served++,
    onFailure: ({ message }) => void failures.set(message, (failures.get(message) ?? 0) + 1)
  }),
  Effect.andThen(Effect.sleep("2 millis")),
  Effect.forever
)

const tell = Effect.gen(function*() {
  const { budget, used } = yield* Db.stats
  const told: Told = {
    used,
    served,
    grant: budget?.grant ?? 0,
    store: budget?.store ?? "own",
    failures: Object.fromEntries(failures)
  }
  process.send?.(told)
})

const program = Effect.gen(function*() {
  const run = Effect.runForkWith(yield* Effect.context<Db>())
  process.on("message", (orders: Orders) => {
    for (const fiber of callers.splice(orders.callers)) run(Fiber.interrupt(fiber))
    while (callers.length < orders.callers) callers.push(run(caller))
  })
  // The parent is gone: nobody would end this process.
  process.on("disconnect", () => process.exit(1))
  yield* Effect.repeat(tell, Schedule.spaced("200 millis"))
})

const layers = Effect.gen(function*() {
  const { name, redis, total, url } = yield* Config.all({
    name: Config.String("NAME"),
    total: Config.Int("TOTAL"),
    url: Config.Redacted("DATABASE_URL"),
    redis: Config.Redacted("REDIS_URL")
  })
  const shared = Shared.layer({ url: redis, minConnections: 0, maxConnections: 2, retry: Schedule.spaced("1 second") })
  return Db.layer({ url, minConnections: 0, maxConnections: total, connectRate: 200, applicationName: "fleet" }).pipe(
    Layer.provide(ConnectionBudget.layerRedis({ name: "primary", total, process: name })),
    Layer.provide(shared)
  )
})

/** The clock of a machine that nobody has set. */
const off = Effect.map(Effect.all([Clock.Clock, Config.withDefault(Config.Int("CLOCK_OFF"), 0)]), ([clock, by]) => {
  const millis = () => clock.currentTimeMillisUnsafe() + by
  return {
    ...clock,
    sleep: (duration) => clock.sleep(duration),
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(by) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe() + BigInt(by) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos
  } satisfies Clock.Clock
})

Effect.gen(function*() {
  const clock = yield* off
  yield* program.pipe(Effect.provide(Layer.unwrap(layers)), Effect.provideService(Clock.Clock, clock))
}).pipe(Effect.provide(Logger.layer([])), NodeRuntime.runMain({ disableErrorReporting: true }))

/**
 * The load: people at their terminals, who think and speak, and now and then all of them speak at once; and regulars, who
 * keep each pool as busy as it was sized for.
 */
import { ConnectionManager } from "@effect-pools/manager"
import type { PoolStats } from "@effect-pools/core"
import { Clock, Effect, Exit, Random } from "effect"
import { turn } from "./conversation.ts"
import { Cache, Database, Realtime, VoiceApi } from "./Pools.ts"
import type { Tally } from "./Tally.ts"

/** How often there is a burst, and how long it is, in milliseconds. */
const burstEvery = 8000
const burstLength = 1000

const thinkTime = Effect.flatMap(
  Clock.currentTimeMillis,
  // Two hundred people make some 20 turns a second, 60 in a burst: what eight connections to the voice service can take.
  (now) => now % burstEvery < burstLength ? Random.nextIntBetween(1500, 4500) : Random.nextIntBetween(4000, 14_000)
)

/** Whoever thinks when it ends has nothing to say any more. */
const think = (millis: number, isOpen: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    millis <= 0 || !isOpen()
      ? Effect.void
      : Effect.andThen(Effect.sleep(Math.min(millis, 200)), think(millis - 200, isOpen))
  )

const person = (tally: Tally, isOpen: () => boolean) =>
  Effect.gen(function*() {
    // At the beginning everybody is somewhere within their thoughts.
    yield* think((yield* Random.next) * (yield* thinkTime), isOpen)
    while (isOpen()) {
      yield* turn(tally).pipe(
        Effect.matchEffect({
          onFailure: (error) => Effect.logWarning("a turn was lost", error).pipe(Effect.map(() => void tally.lost++)),
          onSuccess: () => Effect.sync(() => void tally.served++)
        })
      )
      yield* think(yield* thinkTime, isOpen)
    }
  })

/** Runs so many people until `isOpen` says no and each has ended the turn it was in. */
export const crowd = (people: number, tally: Tally, isOpen: () => boolean) =>
  Effect.all(Array.from({ length: people }, () => person(tally, isOpen)), { concurrency: "unbounded", discard: true })

/** How busy a pool is that was sized well: the middle of what the application was designed for. */
const target = 0.7

/** How long a regular keeps a connection, and how soon it looks again where there was no room, in milliseconds. */
const stay = 250
const pause = 20

type Services = Cache | Database | Realtime | VoiceApi

/** A regular's work with a pool, and the number of connections for it. */
interface Visit {
  readonly places: number
  readonly stats: Effect.Effect<PoolStats.PoolStats, never, Services>
  readonly visit: Effect.Effect<unknown, unknown, Services>
}

const stayWith = () => Effect.sleep(stay)

/** The label of its leases on the page. */
const regularly = { label: "a regular" }

const visits: ReadonlyArray<Visit> = [
  { places: 25, stats: Database.stats, visit: Database.withConnection(stayWith, regularly) },
  {
    places: 10,
    stats: Database.stats,
    visit: Effect.withSpan(Database.read((sql) => sql`SELECT pg_sleep(${stay / 1000})`), regularly.label)
  },
  { places: 15, stats: Cache.stats, visit: Cache.withConnection(stayWith, regularly) },
  { places: 8, stats: VoiceApi.stats, visit: VoiceApi.withConnection(stayWith, regularly) },
  { places: 5, stats: Realtime.stats, visit: Realtime.withConnection(stayWith, regularly) }
]

/** It comes while there is room below the target, and stays away while others need the pool. */
const regular = ({ stats, visit }: Visit, isOpen: () => boolean) =>
  Effect.gen(function*() {
    while (isOpen()) {
      const { limit, used } = yield* stats
      const hasStayed = used + 1 <= target * limit && Exit.isSuccess(yield* Effect.exit(visit))
      if (!hasStayed) yield* Effect.sleep(pause * (yield* Random.nextBetween(0.5, 1.5)))
    }
  })

/** Opens all connections ahead of need, so that nobody waits for a dial. */
export const warmUp = Effect.gen(function*() {
  const pools = yield* ConnectionManager.pools
  yield* Effect.forEach(pools, (pool) => Effect.ignore(pool.warmUp(pool.config.maxConnections)), {
    concurrency: "unbounded",
    discard: true
  })
})

/** Keeps the pools at the target until `isOpen` says no. */
export const regulars = (isOpen: () => boolean) =>
  Effect.all(
    visits.flatMap((kind) => Array.from({ length: Math.ceil(target * kind.places) }, () => regular(kind, isOpen))),
    { concurrency: "unbounded", discard: true }
  )

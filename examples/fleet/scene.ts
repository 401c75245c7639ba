/**
 * A day of a fleet in a minute or two: one process under load, two killed, a rolling restart, Redis away. PostgreSQL itself
 * refuses who comes above the budget, and is asked all the time how many there are.
 */
import { EmbeddedPostgres, EmbeddedRedis } from "@effect-pools/testing"
import { Effect, Redacted, Schedule, type Scope } from "effect"
import { Fleet, type Member } from "./fleet.ts"

export interface SceneOptions {
  readonly processes: number
  readonly total: number
  /** How long Redis is away, in seconds. */
  readonly away: number
  readonly say: (line: string) => Effect.Effect<void>
}

export interface Seen {
  /** The most connections that the server counted. */
  readonly most: number
  /** How long a process under load took to have nine tenths of what was free, in seconds. */
  readonly took: number
  /** The most that one process had of what was free, 0 to 1. */
  readonly share: number
  readonly served: number
  readonly failures: Readonly<Record<string, number>>
}

/** So many minutes the clocks of every other process are ahead. */
const clockOff = 5 * 60_000

export const scene = (options: SceneOptions): Effect.Effect<Seen, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const { away, processes, say, total } = options
    const redis = yield* EmbeddedRedis.make()
    const postgres = yield* EmbeddedPostgres.make({ settings: { max_connections: total + 10 } })
    const database = yield* limitedUser(postgres, total)
    const fleet = new Fleet({ total, database, redis: Redacted.value(redis.url) })
    const watch = yield* counting(postgres)
    const names = Array.from({ length: processes }, (_, at) => `p${at + 1}`)
    const start = (name: string, at: number) => fleet.start(name, at % 2 === 0 ? 0 : clockOff)
    yield* Effect.forEach(names, start, { concurrency: 4 })
    yield* say(`${processes} processes share ${total} connections`)

    const [first, ...others] = Array.from(fleet.members.values())
    yield* Effect.sleep("8 seconds")
    const { share, took } = yield* underLoad(first!, others, total)
    yield* say(`${first!.name} has ${Math.round(100 * share)} % of what is free, 90 % after ${took.toFixed(1)} s`)

    fleet.members.forEach((member) => member.load(Math.ceil(2 * total / processes)))
    yield* Effect.sleep("5 seconds")
    yield* Effect.forEach(others.slice(0, 2), ({ kill }) => kill)
    yield* say(`two are killed; ${watch.most()} connections at most so far`)
    yield* Effect.forEach(Array.from(fleet.members.values()), (old, at) =>
      Effect.gen(function*() {
        const next = yield* start(`${old.name}b`, at)
        next.load(Math.ceil(2 * total / processes))
        yield* old.stop
      }))
    yield* say(`all are restarted, one after another; ${watch.most()} connections at most so far`)

    yield* redis.kill9
    yield* Effect.sleep(`${away} seconds`)
    yield* redis.start
    yield* say(`Redis was away for ${away} s and has lost everything; ${watch.most()} connections at most so far`)
    yield* Effect.sleep("10 seconds")
    const { failures, served } = fleet
    yield* Effect.forEach(Array.from(fleet.members.values()), ({ stop }) => stop, { concurrency: "unbounded" })
    return { most: watch.most(), took, share, served, failures }
  })

/** Loads one process with more than everything, for ten seconds or until it has had nine tenths of what is free for one. */
const underLoad = (loaded: Member, others: ReadonlyArray<Member>, total: number) =>
  Effect.gen(function*() {
    const began = performance.now()
    const sum = (read: (member: Member) => number) => others.reduce((all, each) => all + read(each), 0)
    let share = 0
    let took = Infinity
    loaded.load(2 * total)
    const passed = () => (performance.now() - began) / 1000
    while (passed() < Math.min(10, took + 1)) {
      yield* Effect.sleep("50 millis")
      const free = total - sum((member) => Math.max(1, member.last()?.used ?? 0))
      share = Math.max(share, (loaded.last()?.used ?? 0) / free)
      if (share >= 0.9) took = Math.min(took, passed())
    }
    loaded.load(0)
    return { share: Math.min(1, share), took }
  })

/**
 * A user to whom the server gives the budget and no more. `max_connections` would be no such limit: besides those that it keeps
 * for superusers it counts each superuser that is there, and the one that counts comes and goes.
 */
const limitedUser = (postgres: EmbeddedPostgres.Instance, total: number) =>
  Effect.map(postgres.query(`CREATE ROLE fleet LOGIN PASSWORD 'fleet' CONNECTION LIMIT ${total}`), () => {
    const url = new URL(Redacted.value(postgres.url))
    url.username = url.password = "fleet"
    return url.href
  })

/** Counts the fleet's connections as the server sees them, twenty times a second. */
const counting = (postgres: EmbeddedPostgres.Instance) =>
  Effect.gen(function*() {
    let most = 0
    const look = Effect.map(postgres.backends({ user: "fleet" }), (backends) => {
      most = Math.max(most, backends.length)
    })
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced("50 millis")))
    return { most: () => most }
  })

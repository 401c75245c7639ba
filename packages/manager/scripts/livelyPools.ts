/** Pools over backends that are not there, under a load that goes up and down: something to look at. */
import { ConnectionPool, type Connector } from "@effect-pools/core"
import { ConnectionManager, type Manager, Monitoring } from "@effect-pools/manager"
import { Data, Effect, Layer, Random, Redacted } from "effect"

interface Fake {
  readonly pid: number
  doing: string | undefined
}

export interface Lively {
  readonly name: string
  readonly options: ConnectionPool.MakeOptions
  /** What callers do: a label and a statement. */
  readonly jobs: ReadonlyArray<readonly [label: string, statement: string]>
  /** The most callers at the same time. */
  readonly callers: number
  /** The mean time of a lease, ms. */
  readonly hold: number
  /** What holds so many connections from some time on and gives none back: a label, a statement, their number, and ms. */
  readonly holder?: readonly [label: string, statement: string, connections: number, after: number]
  /** Whether the backend is there. */
  readonly isUp?: () => boolean
}

/** A pool with its load, whatever kind it is of. */
export interface Made {
  readonly Pool: Manager.PoolKey
  readonly layer: Layer.Layer<never, unknown>
}

class Unreachable extends Data.TaggedError("Unreachable")<{ readonly message: string }> {}

const connectorOf = ({ isUp = () => true }: Lively): Connector.Connector<Fake> => ({
  connect: () =>
    Effect.gen(function*() {
      yield* Effect.sleep(yield* Random.nextBetween(4, 30))
      if (!isUp()) return yield* new Unreachable({ message: "connect ECONNREFUSED 10.0.3.17:443" })
      const fake: Fake = { pid: yield* Random.nextIntBetween(2000, 60_000), doing: undefined }
      return yield* Effect.acquireRelease(Effect.succeed(fake), () => Effect.sleep("5 millis"))
    }),
  validate: () => isUp() ? Effect.sleep("1 millis") : Effect.fail(new Unreachable({ message: "closed by the server" })),
  isBroken: () => !isUp(),
  reset: () => undefined,
  inspect: ({ doing, pid }) => ({ tags: { pid: String(pid) }, activity: doing })
})

/** One of many who use the pool, in waves, each pool in its own rhythm. */
const caller = (pool: ConnectionPool.ConnectionPool<Fake>, { callers, hold, jobs }: Lively, index: number) =>
  Effect.gen(function*() {
    const seconds = performance.now() / 1000
    const wave = 0.6 + 0.4 * Math.sin(seconds / (9 + callers % 7)) * Math.cos(seconds / (4 + hold % 5))
    const [label, statement] = jobs[yield* Random.nextIntBetween(0, jobs.length - 1)] ?? ["", ""]
    const time = -Math.log(1 - 0.99 * (yield* Random.next)) * hold
    if (index < wave * callers) {
      yield* pool.withConnection((fake) =>
        Effect.suspend(() => {
          fake.doing = statement
          return Effect.sleep(time)
        }).pipe(Effect.ensuring(Effect.sync(() => void (fake.doing = undefined)))), { label })
    }
    yield* Effect.sleep(yield* Random.nextBetween(2, hold))
  }).pipe(Effect.catch(() => Effect.sleep("200 millis")), Effect.forever)

const hold = (pool: ConnectionPool.ConnectionPool<Fake>, holder: NonNullable<Lively["holder"]>) => {
  const [label, statement, connections, after] = holder
  const one = pool.withConnection((fake) => {
    fake.doing = statement
    return Effect.never
  }, { label })
  return Effect.sleep(after).pipe(
    Effect.andThen(Effect.all(Array.from({ length: connections }, () => Effect.retry(one, { times: 100 })), {
      concurrency: "unbounded"
    }))
  )
}

/** A pool as a service class made on the spot, with its load. */
export const poolOf = (lively: Lively): Made => {
  class Pool extends ConnectionPool.Service<Pool, Fake>()(`lively/${lively.name}`) {}
  const load = Effect.gen(function*() {
    const pool = yield* Pool
    if (lively.holder !== undefined) yield* Effect.forkScoped(hold(pool, lively.holder))
    for (let index = 0; index < lively.callers; index++) yield* Effect.forkScoped(caller(pool, lively, index))
  })
  const layer = Pool.layer(connectorOf(lively), { name: lively.name, ...lively.options })
  return { Pool, layer: Layer.provideMerge(Layer.effectDiscard(load), layer) }
}

/** For the actions of the page. */
export const token = "a-token-to-look-at"

/** The pools, their load, the manager and the server. */
export const world = (made: ReadonlyArray<Made>, port = 0) => {
  const manager = ConnectionManager.layer({ pools: made.map(({ Pool }) => Pool), sampleInterval: "500 millis" })
  // Their classes are made on the spot, and have no names that a type could list.
  const all = Layer.mergeAll(Layer.empty, ...made.map(({ layer }) => layer)) as unknown as Layer.Layer<unknown, unknown>
  return Monitoring.layer({ port, token: Redacted.make(token) }).pipe(
    Layer.provideMerge(manager),
    Layer.provide(all)
  )
}

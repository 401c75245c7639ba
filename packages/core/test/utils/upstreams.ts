/**
 * A balanced pool over gated backends that must end without a leak: neither a connection nor a lease in flight.
 */
import { BalancedPool, ConnectionPool, type PoolConfig, type PoolError, type PoolEvent } from "@effect-pools/core"
import { type FakeConnector, GatedConnector } from "@effect-pools/testing"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Metric, Scope } from "effect"
import { captureLogs, isGone, listenTo, type Log, type Pool, settle } from "./bench.ts"

type Connection = FakeConnector.FakeConnection

interface Backend {
  readonly pool: Pool
  readonly gates: GatedConnector.GatedConnector
}

export interface Fleet {
  readonly pool: BalancedPool.BalancedPool<Connection>
  readonly backends: ReadonlyArray<Backend>
  readonly logs: ReadonlyArray<Log>
  /** What was published while somebody listened, oldest first. Filled once `listen` is run. */
  readonly events: ReadonlyArray<PoolEvent.PoolEvent>
  readonly listen: Effect.Effect<void, never, Scope.Scope>
}

export interface Setup extends BalancedPool.Options {
  /** The weights of the upstreams `a`, `b`, `c` and so on. */
  readonly weights: ReadonlyArray<number>
  readonly each?: PoolConfig.PoolOptions
  readonly backend?: GatedConnector.Options
}

const nameOf = (index: number): string => String.fromCodePoint(97 + index)

/** Makes the upstreams and the pool over them in the scope that is given. */
export const makeFleet = (
  { backend, each, weights, ...options }: Setup
): Effect.Effect<Fleet, PoolError.PoolError, Scope.Scope> => {
  const logs: Array<Log> = []
  return Effect.gen(function*() {
    const backends = yield* Effect.forEach(weights, (_, index) =>
      Effect.gen(function*() {
        const gates = GatedConnector.make(backend)
        const pool = yield* ConnectionPool.make(gates.connector, {
          minConnections: 0,
          maxConnections: 2,
          startup: "lazy",
          name: nameOf(index),
          ...each
        })
        return { gates, pool }
      }))
    const upstreams = backends.map(({ pool }, index) => ({ pool, weight: weights[index] }))
    const pool = yield* BalancedPool.make(upstreams, { name: "all", ...options })
    return { pool, backends, logs, ...listenTo(pool) }
  }).pipe(Effect.provide(captureLogs(logs)))
}

export const onFleet = (
  setup: Setup,
  body: (fleet: Fleet) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void, never>
): Effect.Effect<void, unknown> => {
  const scope = Scope.makeUnsafe()
  return Effect.gen(function*() {
    const fleet = yield* Scope.provide(makeFleet(setup), scope)
    const exit = yield* Effect.exit(Effect.scoped(Effect.gen(() => body(fleet))))
    yield* settle
    const upstreams = yield* fleet.pool.upstreams
    if (Exit.isSuccess(exit)) {
      assert.deepStrictEqual(upstreams.map(({ inFlight }) => inFlight), setup.weights.map(() => 0), "leases in flight")
    }
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* settle
    yield* Fiber.join(closing)
    yield* settle
    yield* exit
    for (const { gates, pool } of fleet.backends) {
      yield* isGone(pool)
      assert.strictEqual(gates.fake.leaked, 0, "opened - closed at the backend")
      assert.isAtMost(gates.fake.peak, pool.config.maxConnections, "connections at once at the backend")
    }
  }).pipe(
    Effect.ensuring(Scope.close(scope, Exit.void)),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
}

/** How many leases each upstream has begun. */
export const leases = ({ backends }: Fleet) =>
  Effect.forEach(
    backends,
    ({ pool }) => Effect.map(pool.stats, ({ counts }) => counts.acquiredAtOnce + counts.acquiredAfterWaiting)
  )

/** The state of each upstream. */
export const states = ({ pool }: Fleet) => Effect.map(pool.upstreams, (all) => all.map(({ state }) => state))

/** A borrower of the balanced pool that keeps its connection until it is told to give it back. */
export const hold = (pool: ConnectionPool.ConnectionPool<Connection>) =>
  Effect.gen(function*() {
    const taken = yield* Deferred.make<Connection, PoolError.PoolError>()
    const end = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkScoped(
      Effect.tapError(
        pool.withConnection((connection) => Effect.andThen(Deferred.succeed(taken, connection), Deferred.await(end))),
        (error) => Deferred.fail(taken, error)
      )
    )
    const connection = yield* Deferred.await(taken)
    return { connection, giveBack: Effect.andThen(Deferred.succeed(end, undefined), Fiber.await(fiber)) }
  })

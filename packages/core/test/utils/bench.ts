/**
 * What the tests of the engine share: a pool over a gated backend that must end without a leak, and callers on command.
 */
import { ConnectionPool, type PoolConfig, PoolError, type PoolEvent, type PoolKind } from "@effect-pools/core"
import * as EffectPools from "@effect-pools/testing/EffectPools"
import type { FakeConnection, FakeConnector } from "@effect-pools/testing/FakeConnector"
import * as GatedConnector from "@effect-pools/testing/GatedConnector"
import { assert } from "@effect/vitest"
import {
  Array as Arr,
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Logger,
  Metric,
  Option,
  References,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"

export type Pool = ConnectionPool.ConnectionPool<FakeConnection>

export interface Log {
  readonly level: string
  readonly text: string
  readonly pool: unknown
}

export interface Bench {
  readonly pool: Pool
  readonly gates: GatedConnector.GatedConnector
  readonly fake: FakeConnector
  /** The `Pool` of Effect that holds the connections. */
  readonly held: EffectPools.EffectPools
  /** What was logged, oldest first. */
  readonly logs: ReadonlyArray<Log>
  /** What was published by the pool while somebody listened, oldest first. Filled once `listen` is run. */
  readonly events: ReadonlyArray<PoolEvent.PoolEvent>
  readonly listen: Effect.Effect<void, never, Scope.Scope>
}

export interface Setup extends PoolConfig.PoolOptions {
  readonly kind?: PoolKind.PoolKind
  readonly backend?: GatedConnector.Options
  /** Connections whose close the test makes hang for ever, so that the backend never sees its end. */
  readonly stuck?: number
}

type Body = Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void, never>

/** Small, and without anything that the test does not ask for. */
const quiet: PoolConfig.PoolOptions = { minConnections: 0, maxConnections: 1, name: "pool" }

/**
 * Runs a test with a pool of its own, then closes the pool's scope and checks that nothing is left: not in the pool's
 * numbers and not at the backend, which must never have seen more than `maxConnections`.
 */
export const onPool = (setup: Setup, body: (bench: Bench) => Body): Effect.Effect<void, unknown> => {
  const { backend, stuck = 0, ...options } = setup
  const gates = GatedConnector.make(backend)
  const scope = Scope.makeUnsafe()
  return Effect.gen(function*() {
    const logs: Array<Log> = []
    const held = EffectPools.make()
    const pool = yield* ConnectionPool.make(gates.connector, { ...quiet, ...options }).pipe(
      held.watch,
      Scope.provide(scope),
      Effect.provide(captureLogs(logs))
    )
    const { events, listen } = listenTo(pool)
    const bench: Bench = { pool, gates, fake: gates.fake, held, logs, events, listen }
    const exit = yield* Effect.exit(Effect.scoped(Effect.gen(() => body(bench))))
    yield* closeIn("2 minutes", scope)
    yield* exit
    yield* isGone(pool)
    assert.deepStrictEqual(held.numbers(), { items: 0, loans: 0, waiting: 0, invalidated: 0 }, "in Effect's Pool")
    assert.strictEqual(gates.fake.leaked, stuck, "opened - closed at the backend")
    assert.isAtMost(gates.fake.peak, pool.config.maxConnections + stuck, "connections at once at the backend")
  }).pipe(
    Effect.ensuring(closeIn("2 minutes", scope)),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
}

/** Makes a pool that may fail to start, in a scope of the test's own. */
export const makePool = (
  setup: Setup,
  gates = GatedConnector.make(setup.backend)
): Effect.Effect<Pool, PoolError.PoolError, Scope.Scope> => {
  const { backend: _, stuck: __, ...options } = setup
  return Effect.provide(ConnectionPool.make(gates.connector, { ...quiet, ...options }), captureLogs([]))
}

/** Nothing is open, waits or is on its way. */
export const isGone = <Lent>(pool: ConnectionPool.ConnectionPool<Lent>): Effect.Effect<void> =>
  Effect.map(pool.stats, ({ counts, pending, state, total }) => {
    assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    assert.deepStrictEqual({ pending, state, total }, { pending: 0, state: "closed", total: 0 })
  })

/** Lets all that is under way go on, without time passing. One adjustment alone follows only so many turns. */
export const settle: Effect.Effect<void> = Effect.repeat(TestClock.adjust(0), { times: 4 })

/** Lets time pass, and what it set off go on. */
export const advance = (time: Parameters<typeof TestClock.adjust>[0]): Effect.Effect<void> =>
  Effect.andThen(TestClock.adjust(time), settle)

const closeIn = (time: "2 minutes", scope: Scope.Closeable): Effect.Effect<void> =>
  Effect.gen(function*() {
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* settle
    yield* advance(time)
    yield* Fiber.join(closing)
    yield* settle
  })

export const captureLogs = (into: Array<Log>) =>
  Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      const text = Arr.ensure(message).map((part) => part instanceof Error ? part.message : String(part)).join(" ")
      into.push({ level: logLevel, text, pool: fiber.getRef(References.CurrentLogAnnotations)["pool"] })
    })
  ])

export const listenTo = <Lent>(pool: ConnectionPool.ConnectionPool<Lent>) => {
  const events: Array<PoolEvent.PoolEvent> = []
  const listen = Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))).pipe(
    Effect.forkScoped,
    Effect.andThen(settle)
  )
  return { events, listen }
}

/** The events of one kind. */
export const only = <Tag extends PoolEvent.PoolEvent["_tag"]>(
  events: ReadonlyArray<PoolEvent.PoolEvent>,
  tag: Tag
): ReadonlyArray<Extract<PoolEvent.PoolEvent, { readonly _tag: Tag }>> =>
  events.filter((event): event is Extract<PoolEvent.PoolEvent, { readonly _tag: Tag }> => event._tag === tag)

/** A borrower that keeps its connection until it is told to give it back. */
export interface Borrower {
  readonly connection: FakeConnection
  readonly giveBack: Effect.Effect<void>
  readonly interrupt: Effect.Effect<void>
  readonly fiber: Fiber.Fiber<void, PoolError.PoolError>
}

export const borrow = (pool: Pool, label?: string): Effect.Effect<Borrower, PoolError.PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    const taken = yield* Deferred.make<FakeConnection, PoolError.PoolError>()
    const end = yield* Deferred.make<void>()
    const hold = (connection: FakeConnection) =>
      Effect.andThen(Deferred.succeed(taken, connection), Deferred.await(end))
    const fiber = yield* Effect.forkScoped(
      Effect.tapError(pool.withConnection(hold, { label }), (error) => Deferred.fail(taken, error))
    )
    const connection = yield* Deferred.await(taken)
    const giveBack = Effect.andThen(Deferred.succeed(end, undefined), Effect.asVoid(Fiber.await(fiber)))
    return { connection, giveBack, interrupt: Fiber.interrupt(fiber), fiber }
  })

/** So many borrowers at once. */
export const borrowMany = (pool: Pool, count: number) =>
  Effect.forEach(Arr.range(1, count), (index) => borrow(pool, `borrower ${index}`))

/** A caller that has asked for a connection; it is in the queue, or served if the pool could. */
export interface Caller {
  readonly fiber: Fiber.Fiber<number, PoolError.PoolError>
  /** How it ended, if it has. */
  readonly exit: () => Exit.Exit<number, PoolError.PoolError> | undefined
  /** Why it failed, if it has. */
  readonly reason: () => PoolError.PoolErrorReason | undefined
  readonly interrupt: Effect.Effect<void>
}

/** Starts a caller whose result is the number of its connection. */
export const call = (pool: Pool, label?: string): Effect.Effect<Caller, never, Scope.Scope> =>
  Effect.gen(function*() {
    const id = (connection: FakeConnection) => Effect.succeed(connection.id)
    const fiber = yield* Effect.forkScoped(pool.withConnection(id, { label }))
    yield* settle
    return {
      fiber,
      exit: () => fiber.pollUnsafe(),
      reason: () => reasonOf(fiber.pollUnsafe()),
      interrupt: Fiber.interrupt(fiber)
    }
  })

export const callMany = (pool: Pool, count: number) => Effect.forEach(Arr.range(1, count), () => call(pool))

const reasonOf = (
  exit: Exit.Exit<unknown, PoolError.PoolError> | undefined
): PoolError.PoolErrorReason | undefined =>
  exit === undefined || Exit.isSuccess(exit)
    ? undefined
    : Option.getOrUndefined(Cause.findErrorOption(exit.cause))?.reason

/** The reason of the `PoolError` that an effect must fail with. */
export const reason = <Tag extends PoolError.PoolErrorReason["_tag"], R>(
  effect: Effect.Effect<unknown, unknown, R>,
  tag: Tag
) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert(error instanceof PoolError.PoolError, `expected a PoolError, got ${String(error)}`)
    const { reason } = error
    assert(is(tag, reason), `expected ${tag}, got ${error.message}`)
    return reason
  })

const is = <Tag extends PoolError.PoolErrorReason["_tag"]>(
  tag: Tag,
  reason: PoolError.PoolErrorReason
): reason is Extract<PoolError.PoolErrorReason, { readonly _tag: Tag }> => reason._tag === tag

/** Runs an effect beside the test until time has passed, and gives its exit. */
export const after = <A, E, R>(time: Parameters<typeof TestClock.adjust>[0], effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkScoped(effect)
    yield* settle
    yield* advance(time)
    return fiber.pollUnsafe()
  })

/** The defect an exit must have died with. */
export const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause), `expected a defect, got ${String(exit)}`)
  return Cause.squash(exit.cause)
}

export const id = (connection: FakeConnection): Effect.Effect<number> => Effect.succeed(connection.id)

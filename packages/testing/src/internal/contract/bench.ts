/**
 * Things that the parts of the contract share: a pool for each test that must end without a leak, and borrowers on
 * command.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import { PoolError, type PoolErrorReason } from "@effect-pools/core/PoolError"
import type { PoolStats } from "@effect-pools/core/PoolStats"
import { assert, type Vitest } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { Subject } from "./subject.ts"
import * as EffectPools from "../../EffectPools.ts"
import { eventually } from "../../Eventually.ts"

export interface Bench<Lent, R> {
  readonly subject: Subject<Lent, R>
  /** Defines a test with a pool of its own. However the body ends, nothing may be open once the pool's scope is closed. */
  readonly test: (
    title: string,
    options: PoolOptions,
    body: (
      pool: ConnectionPool<Lent>,
      held: EffectPools.EffectPools
    ) => Effect.Effect<unknown, unknown, Scope.Scope | R>
  ) => void
}

/** Quick enough for a test, slow enough for a real server on a busy machine. */
const defaults: PoolOptions = {
  minConnections: 0,
  maxConnections: 2,
  acquireTimeout: "3 seconds",
  connectTimeout: "2 seconds",
  drainTimeout: "1 second",
  closeTimeout: "1 second"
}

/** The warnings that the tests provoke on purpose are not logged. */
export const makeBench = <Lent, R>(
  subject: Subject<Lent, R>,
  define: Vitest.Tester<R | Scope.Scope>
): Bench<Lent, R> => ({
  subject,
  test: (title, options, body) =>
    void define(title, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
        const held = EffectPools.make()
        const pool = yield* held.watch(Scope.provide(subject.make({ ...defaults, ...options }), scope))
        const exit = yield* Effect.exit(Effect.scoped(body(pool, held)))
        yield* Scope.close(scope, Exit.void)
        yield* exit
        yield* isGone(pool, subject)
        assert.deepStrictEqual(held.numbers(), { items: 0, loans: 0, waiting: 0, invalidated: 0 }, "in Effect's Pool")
      }).pipe(Effect.provideService(References.MinimumLogLevel, "Error")))
})

const isGone = <Lent, R>(pool: ConnectionPool<Lent>, subject: Subject<Lent, R>): Effect.Effect<void, unknown, R> =>
  Effect.gen(function*() {
    const { counts, pending, state, total } = yield* pool.stats
    assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    assert.deepStrictEqual({ pending, state, total }, { pending: 0, state: "closed", total: 0 })
    if (subject.live !== undefined) {
      yield* eventually("the backend counts no connection", Effect.map(subject.live, isZero), patience)
    }
  })

/** How long what happens beside a test may take. */
export const patience = "2 seconds"

const isZero = (n: number): boolean => n === 0

/** A borrower that keeps its connection until it is told to give it back. */
interface Borrower<Lent> {
  readonly connection: Lent
  readonly giveBack: Effect.Effect<void>
  readonly fiber: Fiber.Fiber<void, PoolError>
}

export const borrow = <Lent>(
  pool: ConnectionPool<Lent>,
  label = "borrower"
): Effect.Effect<Borrower<Lent>, PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    const taken = yield* Deferred.make<Lent, PoolError>()
    const end = yield* Deferred.make<void>()
    const hold = (connection: Lent) => Effect.andThen(Deferred.succeed(taken, connection), Deferred.await(end))
    const fiber = yield* pool.withConnection(hold, { label }).pipe(
      Effect.tapError((error) => Deferred.fail(taken, error)),
      Effect.forkScoped
    )
    const connection = yield* Deferred.await(taken)
    const giveBack = Effect.andThen(Deferred.succeed(end, undefined), Effect.asVoid(Fiber.await(fiber)))
    return { connection, giveBack, fiber }
  })

/** A caller that does not get its connection at once; returns when it is in the queue. */
export const queueUp = <Lent, A, E, R>(
  pool: ConnectionPool<Lent>,
  f: (connection: Lent) => Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E | PoolError>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { pending } = yield* pool.stats
    const fiber = yield* Effect.forkScoped(pool.withConnection(f))
    yield* eventuallyStats(pool, "one more waits", (stats) => stats.pending === pending + 1)
    return fiber
  })

type Reason<Tag> = Extract<PoolErrorReason, { readonly _tag: Tag }>

/** The reason of the `PoolError` that an effect must fail with. */
export const refusal = <Tag extends PoolErrorReason["_tag"], R>(
  effect: Effect.Effect<unknown, unknown, R>,
  tag: Tag
): Effect.Effect<Reason<Tag>, unknown, R> =>
  Effect.map(Effect.flip(effect), (error) => {
    assert(error instanceof PoolError, `expected a PoolError, got ${String(error)}`)
    const { message, reason } = error
    assert(hasTag(reason, tag), `expected ${tag}, got ${message}`)
    return reason
  })

const hasTag = <Tag extends PoolErrorReason["_tag"]>(reason: PoolErrorReason, tag: Tag): reason is Reason<Tag> =>
  reason._tag === tag

export const eventuallyStats = <Lent>(
  pool: ConnectionPool<Lent>,
  what: string,
  check: (stats: PoolStats) => boolean
): Effect.Effect<void> => eventually(what, Effect.map(pool.stats, check), patience)

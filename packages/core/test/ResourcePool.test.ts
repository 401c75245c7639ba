import { PoolError, ResourcePool } from "@effect-pools/core"
import { EffectPools } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { advance, captureLogs, isGone, reason, settle } from "./utils/bench.ts"

interface Session {
  readonly id: number
  isDirty: boolean
  isDead: boolean
}

/** A server of sessions that counts, as a service that the pool's steps ask for. */
class Server extends Context.Service<Server, {
  opened: number
  closed: number
  checked: number
  cleaned: number
  readonly log: Array<string>
}>()("test/Server") {
  static readonly layer = Layer.sync(Server, () => ({ opened: 0, closed: 0, checked: 0, cleaned: 0, log: [] }))
}

const acquire = Effect.acquireRelease(
  Effect.map(Server, (server): Session => ({ id: ++server.opened, isDirty: false, isDead: false })),
  () => Effect.map(Server, (server) => void server.closed++)
)

const validate = (session: Session) =>
  Effect.flatMap(Server, (server) => {
    server.checked++
    return session.isDead ? Effect.fail("dead" as const) : Effect.void
  })

const reset = (session: Session, exit: Exit.Exit<unknown, unknown>) =>
  session.isDirty || Exit.isFailure(exit)
    ? Effect.map(Server, (server) => {
      server.cleaned++
      session.isDirty = false
    })
    : undefined

const small = { minConnections: 0, maxConnections: 1 } as const

class Sessions extends ResourcePool.Service<Sessions, Session>()("test/Sessions") {}

/** Runs a test with a server, on which nothing may be left open. */
const onServer = <E>(body: Effect.Effect<void, E, Server | Scope.Scope>) =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(Effect.scoped(body))
    const { closed, opened } = yield* Server
    yield* exit
    assert.strictEqual(opened - closed, 0)
    assert.isAbove(opened, 0)
  }).pipe(Effect.provide([Server.layer, captureLogs([])]))

const id = (session: Session) => Effect.succeed(session.id)

describe("ResourcePool", () => {
  it.effect("has each live resource in one Pool of Effect, from its acquisition to its release", () =>
    Effect.gen(function*() {
      const held = EffectPools.make()
      yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* held.watch(ResourcePool.make({ acquire, maxConnections: 3 }))
        yield* settle
        assert.deepStrictEqual(held.numbers(), { items: 1, loans: 1, waiting: 0, invalidated: 0 })
        yield* Effect.scoped(Effect.andThen(pool.acquire, pool.acquire))
        assert.deepStrictEqual([held.all.length, held.numbers().items, (yield* pool.stats).total], [1, 2, 2])
      }))
      assert.strictEqual(held.numbers().items, 0)
    }).pipe(Effect.provide(Server.layer)))

  it.effect("acquires resources with the services its maker has, and releases them", () =>
    onServer(Effect.gen(function*() {
      const pool = yield* ResourcePool.make({ ...small, acquire })
      assert.strictEqual(yield* pool.withConnection(id), 1)
      assert.strictEqual(yield* pool.withConnection(id), 1)
      yield* pool.withConnection((session) => pool.invalidate(session))
      yield* settle
      assert.strictEqual((yield* Server).closed, 1)
      assert.strictEqual(yield* pool.withConnection(id), 2)
      yield* pool.drain
      yield* isGone(pool)
    })))

  it.effect("validates a resource that was idle", () =>
    onServer(Effect.gen(function*() {
      const pool = yield* ResourcePool.make({ ...small, acquire, validate, freshnessWindow: "1 second" })
      yield* pool.withConnection((session) => Effect.sync(() => void (session.isDead = true)))
      yield* advance("2 seconds")
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual((yield* Server).checked, 1)
      assert.strictEqual((yield* pool.stats).counts.retired.invalid, 1)
    })))

  it.effect("resets a resource if it must be, given how its lease ended", () =>
    onServer(Effect.gen(function*() {
      const server = yield* Server
      const pool = yield* ResourcePool.make({ ...small, acquire, reset })
      yield* pool.withConnection(id)
      assert.strictEqual(server.cleaned, 0)
      yield* pool.withConnection((session) => Effect.sync(() => void (session.isDirty = true)))
      assert.strictEqual(server.cleaned, 1)
      yield* Effect.exit(pool.withConnection(() => Effect.fail("mine")))
      assert.strictEqual(server.cleaned, 2)
      assert.strictEqual(server.opened, 1)
    })))

  it.effect("with reset keeps a resource whose lease was interrupted, without it replaces it", () =>
    onServer(Effect.gen(function*() {
      for (const [options, expected] of [[{ reset }, 1], [{}, 0]] as const) {
        const pool = yield* ResourcePool.make({ ...small, acquire, ...options })
        const fiber = yield* Effect.forkScoped(pool.withConnection(() => Effect.never))
        yield* settle
        yield* Fiber.interrupt(fiber)
        yield* settle
        assert.strictEqual((yield* pool.stats).idle, expected)
      }
    })))

  it.effect("retires a resource that isBroken names", () =>
    onServer(Effect.gen(function*() {
      const isBroken = (_: Session, exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit)
      const pool = yield* ResourcePool.make({ ...small, acquire, isBroken })
      yield* Effect.exit(pool.withConnection(() => Effect.fail("protocol error")))
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual((yield* pool.stats).counts.retired.broken, 1)
    })))

  it.effect("a resource that reports its own end while it is idle is not lent again", () =>
    onServer(Effect.gen(function*() {
      const ends: Array<(cause: unknown) => void> = []
      const pool = yield* ResourcePool.make({
        ...small,
        acquire: ({ onBroken }) => Effect.tap(acquire, () => Effect.sync(() => ends.push(onBroken)))
      })
      assert.strictEqual(yield* pool.withConnection(id), 1)
      ends[0]?.("the other side hung up")
      assert.strictEqual(yield* pool.withConnection(id), 2)
      assert.strictEqual((yield* pool.stats).counts.retired.broken, 1)
    })))

  it.effect("as many callers as sharers says use one resource at once", () =>
    onServer(Effect.gen(function*() {
      const pool = yield* ResourcePool.make({ ...small, acquire, sharers: 2 })
      const together = pool.withShared((session) => Effect.as(Effect.sleep("1 second"), session.id))
      const fiber = yield* Effect.forkScoped(Effect.all([together, together, together], { concurrency: "unbounded" }))
      yield* settle
      assert.deepInclude(yield* pool.stats, { used: 1, pending: 1 })
      yield* advance("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 1, 1])
    })))

  it.effect("joins says whether they take an idle one or the busiest", () =>
    onServer(Effect.gen(function*() {
      const usedBy = (joins: "idle" | "busiest") =>
        Effect.gen(function*() {
          const options = { ...small, maxConnections: 2, minConnections: 2, sharers: 2, joins }
          const pool = yield* ResourcePool.make({ ...options, acquire })
          const together = pool.withShared(() => Effect.sleep("1 second"))
          yield* Effect.forkScoped(Effect.all([together, together], { concurrency: "unbounded" }))
          yield* settle
          const { used } = yield* pool.stats
          yield* advance("1 second")
          return used
        })
      assert.deepStrictEqual([yield* usedBy("idle"), yield* usedBy("busiest")], [2, 1])
    })))

  it.effect("shows what inspect says", () =>
    onServer(Effect.gen(function*() {
      const pool = yield* ResourcePool.make({
        ...small,
        acquire,
        inspect: (session) => ({ tags: { session: `${session.id}` } })
      })
      yield* pool.withConnection(id)
      assert.deepStrictEqual((yield* pool.connections)[0]?.tags, { session: "1" })
    })))

  it.effect("a failed acquisition is a typed error with its cause", () =>
    Effect.gen(function*() {
      class Refused extends Error {
        readonly isRetryable = false
      }
      const pool = yield* ResourcePool.make({ ...small, acquire: Effect.fail(new Refused("no more sessions")) }).pipe(
        Effect.provide(captureLogs([]))
      )
      const failed = yield* reason(pool.withConnection(() => Effect.void), "ConnectFailed")
      assert.instanceOf(failed.cause, Refused)
      assert.isFalse(failed.isRetryable)
      assert.include(failed.message, "no more sessions")
    }))

  it.effect("is of the kind service, named pool unless it is given a name", () =>
    onServer(Effect.gen(function*() {
      const pool = yield* ResourcePool.make({ acquire })
      assert.deepInclude(pool.config, { kind: "service", name: "pool", minConnections: 1, maxConnections: 8 })
      assert.strictEqual((yield* ResourcePool.make({ acquire, name: "smtp" })).name, "smtp")
    })))
})

describe("ResourcePool.Service", () => {
  it.effect("its layer gives the pool, named after the class, and closes it with the layer", () =>
    onServer(
      Effect.gen(function*() {
        assert.strictEqual(yield* Sessions.withConnection(id), 1)
        assert.strictEqual(yield* Effect.scoped(Effect.flatMap(Sessions.acquire, id)), 1)
        const stats = yield* Sessions.stats
        assert.deepInclude(stats, { name: "test/Sessions", idle: 1 })
        assert.strictEqual((yield* Sessions).name, "test/Sessions")
      }).pipe(Effect.provide(Sessions.layer({ ...small, acquire })))
    ))

  it.effect("its name is an option", () =>
    onServer(
      Effect.gen(function*() {
        assert.strictEqual((yield* Sessions.stats).name, "smtp")
        yield* Sessions.withConnection(id)
      }).pipe(Effect.provide(Sessions.layer({ ...small, acquire, name: "smtp" })))
    ))

  it.effect("every member of the pool is a static that asks for the class", () =>
    onServer(
      Effect.gen(function*() {
        assert.strictEqual(yield* Sessions.warmUp(1), 1)
        assert.strictEqual(yield* Sessions.withShared(id), 1)
        yield* Sessions.withConnection((session) => Sessions.invalidate(session))
        yield* settle
        assert.strictEqual((yield* Sessions.connections).length, 0)
        assert.strictEqual((yield* Sessions.health).status, "healthy")
        yield* Sessions.pause
        yield* reason(Sessions.withConnection(id), "PoolPaused")
        yield* Sessions.resume
        yield* Sessions.setLimit(1)
        yield* Sessions.retireAll
        assert.strictEqual(yield* Sessions.withConnection(id), 2)
        assert.strictEqual((yield* Sessions.drain).closed, 1)
        yield* reason(Sessions.withConnection(id), "PoolClosed")
      }).pipe(Effect.provide(Sessions.layer({ ...small, acquire })))
    ))

  it.effect("wrong options fail the layer", () =>
    Effect.gen(function*() {
      const layer = Sessions.layer({ acquire, maxConnections: 0 })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.instanceOf(error, PoolError.PoolError)
      assert.strictEqual(
        error.message,
        "test/Sessions: option maxConnections: must be an integer from 1 to 100000, got 0"
      )
    }).pipe(Effect.provide(Server.layer)))
})

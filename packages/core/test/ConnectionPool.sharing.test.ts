import { ConnectionPool, type Connector } from "@effect-pools/core"
import * as FakeConnector from "@effect-pools/testing/FakeConnector"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { settle } from "./utils/bench.ts"

type Options = Parameters<typeof ConnectionPool.make>[1]
type Sharing = Pick<Connector.Connector<unknown>, "joins" | "sharers">

/** A pool whose connections three callers may share unless told otherwise, and callers that stay until they are told to go. */
const setUp = Effect.fnUntraced(function*(options: Options, sharing: Sharing = {}) {
  const fake = FakeConnector.make({ connectDelay: "1 second", reset: true })
  const connector = { ...fake.connector, sharers: 3, ...sharing }
  const pool = yield* ConnectionPool.make(connector, { minConnections: 0, startup: "lazy", ...options })
  const enter = Effect.fnUntraced(function*(
    by: "withShared" | "withConnection" = "withShared",
    body: Effect.Effect<unknown, string> = Effect.void
  ) {
    const leave = Deferred.makeUnsafe<void>()
    let on: number | undefined
    const fiber = yield* Effect.forkScoped(
      Effect.exit(
        pool[by]((connection) =>
          Effect.suspend(() => {
            on = connection.id
            return Effect.andThen(Deferred.await(leave), body)
          })
        )
      )
    )
    yield* settle
    return {
      fiber,
      on: () => on,
      leave: Effect.andThen(Deferred.succeed(leave, undefined), Effect.andThen(Fiber.join(fiber), settle))
    }
  })
  return { enter, fake, pool }
})

const onSharedPool = (
  options: Options,
  body: (bench: Effect.Success<ReturnType<typeof setUp>>) => Effect.Effect<void, unknown, Scope.Scope>,
  sharing?: Sharing
) =>
  Effect.gen(function*() {
    const bench = yield* Effect.scoped(Effect.tap(setUp(options, sharing), body))
    assert.strictEqual(bench.fake.opened - bench.fake.closed, 0)
    const { pending, used } = yield* bench.pool.stats
    assert.deepStrictEqual([used, pending], [0, 0])
  })

describe("ConnectionPool.withShared", () => {
  it.effect("callers use one connection at once, as many as the connector allows", () =>
    onSharedPool({ maxConnections: 1 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        const callers = [yield* enter(), yield* enter(), yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(callers.map((caller) => caller.on()), [1, 1, 1, undefined])
        const { pending, used } = yield* pool.stats
        assert.deepStrictEqual([used, pending], [1, 1])
        yield* callers[0]!.leave
        assert.strictEqual(callers[3]!.on(), 1)
        for (const caller of callers.slice(1)) yield* caller.leave
        assert.strictEqual((yield* pool.stats).idle, 1)
      })))

  it.effect("an idle connection is taken before a shared one is joined, and then the one with the fewest sharers", () =>
    onSharedPool({ minConnections: 2, maxConnections: 2 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        const callers = [yield* enter(), yield* enter(), yield* enter(), yield* enter()]
        const counts = Object.values(Object.groupBy(callers, (caller) => String(caller.on()))).map((all) => all!.length)
        assert.deepStrictEqual(counts, [2, 2])
        // Nobody had to wait for a turn of the scheduler.
        assert.strictEqual((yield* pool.stats).counts.acquiredAtOnce, 4)
        for (const caller of callers) yield* caller.leave
      })))

  it.effect("a connection that is shared makes the pool grow as long as it may", () =>
    onSharedPool(
      { minConnections: 1, maxConnections: 3, freshnessWindow: "2 minutes" },
      ({ enter, pool }) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("1 second")
          const callers = [yield* enter()]
          assert.strictEqual((yield* pool.stats).total, 1)
          callers.push(yield* enter())
          assert.strictEqual(callers[1]!.on(), 1)
          yield* TestClock.adjust("1 second")
          // One that is idle is enough: nobody wants a third.
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* pool.stats).total, 2)
          callers.push(yield* enter())
          assert.strictEqual(callers[2]!.on(), 2)
          for (const caller of callers) yield* caller.leave
        })
    ))

  it.effect("one that asks for a connection of its own is not overtaken by those who would share", () =>
    onSharedPool({ maxConnections: 1 }, ({ enter }) =>
      Effect.gen(function*() {
        const sharer = yield* enter()
        yield* TestClock.adjust("1 second")
        const owner = yield* enter("withConnection")
        const late = yield* enter()
        assert.deepStrictEqual([sharer.on(), owner.on(), late.on()], [1, undefined, undefined])
        yield* sharer.leave
        assert.deepStrictEqual([owner.on(), late.on()], [1, undefined])
        yield* owner.leave
        assert.strictEqual(late.on(), 1)
        yield* late.leave
      })))

  it.effect("an interrupted sharer takes the connection from nobody", () =>
    onSharedPool({ maxConnections: 1 }, ({ enter, fake }) =>
      Effect.gen(function*() {
        const [first, second] = [yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(first.fiber)
        yield* settle
        assert.strictEqual(fake.closed, 0)
        yield* second.leave
        assert.strictEqual(fake.closed, 0)
      })))

  it.effect("it is reset after its sharers even if the last of them never touched it", () =>
    onSharedPool({ maxConnections: 1 }, ({ enter, fake }) =>
      Effect.gen(function*() {
        const callers = [yield* enter(), yield* enter(), yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        assert.strictEqual(callers[3]!.on(), undefined)
        // The fourth is given the first one's place in the moment in which all are interrupted.
        for (const { fiber } of callers) fiber.interruptUnsafe()
        yield* settle
        assert.strictEqual(callers[3]!.on(), undefined)
        assert.strictEqual(fake.resets, 1)
      })))

  it.effect("a connection that breaks is joined by nobody and closed when its last sharer leaves", () =>
    onSharedPool({ maxConnections: 2 }, ({ enter, fake, pool }) =>
      Effect.gen(function*() {
        const [first, second] = [yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        fake.break(fake.connections[0]!)
        const third = yield* enter()
        yield* TestClock.adjust("1 second")
        assert.notStrictEqual(third.on(), first.on())
        for (const caller of [first, second, third]) yield* caller.leave
        assert.isAtLeast((yield* pool.stats).counts.retired.broken, 1)
      })))

  it.effect("a shared connection that is never free still ends at its maxLifetime", () =>
    onSharedPool(
      { maxConnections: 2, maxLifetime: "10 seconds", idleTimeout: "10 seconds" },
      ({ enter, pool }) =>
        Effect.gen(function*() {
          const first = yield* enter()
          yield* TestClock.adjust("11 seconds")
          const second = yield* enter()
          yield* TestClock.adjust("1 second")
          assert.strictEqual(second.on(), 2)
          yield* first.leave
          assert.strictEqual((yield* pool.stats).counts.retired.lifetime, 1)
          yield* second.leave
        })
    ))

  it.effect("each sharer that stays too long is suspected, not only the one that came first", () =>
    onSharedPool({ maxConnections: 1, leakTimeout: "10 seconds" }, ({ enter, pool }) =>
      Effect.gen(function*() {
        const first = yield* enter()
        yield* TestClock.adjust("6 seconds")
        const second = yield* enter()
        const suspected = Effect.map(pool.stats, ({ counts }) => counts.leaksSuspected)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* suspected, 1)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* suspected, 2)
        yield* first.leave
        const connection = Effect.map(pool.connections, ([connection]) => connection?.isLeakSuspected)
        assert.strictEqual(yield* connection, true)
        yield* second.leave
        assert.strictEqual(yield* connection, false)
      })))

  const reclaiming = { maxConnections: 1, leakTimeout: "5 seconds", reclaimTimeout: "10 seconds" } as const

  it.effect("a sharer past reclaimTimeout takes the connection from nobody, but nobody joins it any more", () =>
    onSharedPool(reclaiming, ({ enter, fake, pool }) =>
      Effect.gen(function*() {
        const stuck = yield* enter()
        yield* TestClock.adjust("6 seconds")
        const honest = yield* enter()
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(fake.closed, 0)
        const next = yield* enter()
        assert.deepStrictEqual([stuck.on(), honest.on(), next.on()], [1, 1, undefined])
        yield* honest.leave
        // It is closed under the one that is left, at the latest when the other would have been too late as well.
        yield* TestClock.adjust("6 seconds")
        assert.deepStrictEqual([fake.closed, next.on()], [1, 2])
        assert.strictEqual((yield* pool.stats).counts.retired.invalidated, 1)
        yield* stuck.leave
        yield* next.leave
      })))

  it.effect("a connection is closed under its sharers when all of them are past reclaimTimeout", () =>
    onSharedPool(reclaiming, ({ enter, fake }) =>
      Effect.gen(function*() {
        const first = yield* enter()
        yield* TestClock.adjust("6 seconds")
        const second = yield* enter()
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(fake.closed, 0)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(fake.closed, 1)
        yield* first.leave
        yield* second.leave
      })))

  it.effect("a sharer that is meant to last keeps its connection, whoever else is past reclaimTimeout", () =>
    onSharedPool(reclaiming, ({ enter, fake, pool }) =>
      Effect.gen(function*() {
        const lasting = yield* Effect.forkScoped(pool.withShared(() => Effect.never, { isLongLived: true }))
        yield* settle
        const stuck = yield* enter()
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([stuck.on(), fake.closed], [1, 0])
        yield* Fiber.interrupt(lasting)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(fake.closed, 1)
        yield* stuck.leave
      })))

  it.effect.each<readonly [Sharing, string]>([
    [{ sharers: Infinity }, "option sharers: must be an integer of at least 1"],
    [{ sharers: 0 }, "option sharers: must be an integer of at least 1"],
    [{ sharers: 1.5 }, "option sharers: must be an integer of at least 1"],
    [{ joins: "fullest" as "busiest" }, "option joins: must be \"idle\" or \"busiest\" or \"adaptive\""]
  ])("a connector with %o is refused", ([sharing, message]) =>
    Effect.gen(function*() {
      const { connector } = FakeConnector.make()
      const error = yield* Effect.flip(ConnectionPool.make({ ...connector, ...sharing }))
      assert.strictEqual(error.message, `pool: ${message}`)
    }))

  it.effect("the lease is exclusive where the connector shares nothing", () =>
    onSharedPool({ maxConnections: 1 }, ({ enter }) =>
      Effect.gen(function*() {
        const [first, second] = [yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([first.on(), second.on()], [1, undefined])
        yield* first.leave
        yield* second.leave
      }), { sharers: 1 }))
})

describe("ConnectionPool.withShared where sharers join the busiest connection", () => {
  const busiest: Sharing = { joins: "busiest" }
  const onBusiest = (options: Options, body: Parameters<typeof onSharedPool>[1]) => onSharedPool(options, body, busiest)

  it.effect("they fill one before an idle one is taken", () =>
    onBusiest({ minConnections: 2, maxConnections: 2 }, ({ enter }) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        const callers = [yield* enter(), yield* enter(), yield* enter(), yield* enter()]
        const [first, second, third, fourth] = callers.map((caller) => caller.on())
        assert.deepStrictEqual([second, third], [first, first])
        assert.notStrictEqual(fourth, first)
        for (const caller of callers) yield* caller.leave
      })))

  it.effect("of those with room the fullest is joined", () =>
    onBusiest({ minConnections: 2, maxConnections: 2 }, ({ enter }) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        const callers = [yield* enter(), yield* enter(), yield* enter(), yield* enter()]
        yield* callers[0]!.leave
        const late = yield* enter()
        assert.strictEqual(late.on(), callers[1]!.on())
        yield* callers[1]!.leave
        yield* callers[2]!.leave
        const later = [yield* enter(), yield* enter()]
        const sides = later.map((caller) => caller.on())
        assert.strictEqual(sides[0], sides[1])
        for (const caller of [callers[3]!, late, ...later]) yield* caller.leave
      })))

  it.effect("one more is opened only when all are full", () =>
    onBusiest({ minConnections: 1, maxConnections: 2 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 second")
        const callers = [yield* enter(), yield* enter(), yield* enter()]
        // Whatever makes the pool look again at what it wants.
        yield* pool.setLimit(2)
        assert.strictEqual((yield* pool.stats).total, 1)
        callers.push(yield* enter())
        assert.strictEqual(callers[3]!.on(), undefined)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(callers[3]!.on(), 2)
        for (const caller of callers) yield* caller.leave
      })))

  it.effect("a crowd opens as many connections as it fills, and one for each that wants its own", () =>
    onBusiest({ maxConnections: 9 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        const callers = []
        for (let i = 0; i < 7; i++) callers.push(yield* enter())
        assert.strictEqual((yield* pool.stats).opening, 3)
        callers.push(yield* enter("withConnection"), yield* enter())
        assert.strictEqual((yield* pool.stats).opening, 4)
        yield* TestClock.adjust("1 second")
        const counts = Object.groupBy(callers, (caller) => String(caller.on()))
        assert.deepStrictEqual(Object.values(counts).map((all) => all!.length).toSorted(), [1, 2, 3, 3])
        for (const caller of callers) yield* caller.leave
      })))

  it.effect("those behind one that wants its own open nothing while there is room where others share", () =>
    onBusiest({ maxConnections: 9 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        const callers = [yield* enter()]
        yield* TestClock.adjust("1 second")
        callers.push(yield* enter("withConnection"), yield* enter(), yield* enter())
        assert.deepStrictEqual(callers.map((caller) => caller.on()), [1, undefined, undefined, undefined])
        assert.strictEqual((yield* pool.stats).opening, 1)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(callers.map((caller) => caller.on()), [1, 2, 1, 1])
        for (const caller of callers) yield* caller.leave
      })))

  // A crowd that finds several idle ones at once: they became idle while the pool was paused.
  const crowdsOnIdle = (freshnessWindow: number, validations: number) =>
    onBusiest(
      { minConnections: 3, maxConnections: 3, freshnessWindow },
      ({ enter, fake, pool }) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("1 second")
          const owners = [
            yield* enter("withConnection"),
            yield* enter("withConnection"),
            yield* enter("withConnection")
          ]
          const sharers = [yield* enter(), yield* enter(), yield* enter()]
          yield* pool.pause
          for (const owner of owners) yield* owner.leave
          assert.strictEqual((yield* pool.stats).idle, 3)
          const before = fake.validated
          yield* pool.resume
          yield* settle
          assert.strictEqual(fake.validated - before, validations)
          assert.strictEqual(new Set(sharers.map((caller) => caller.on())).size, 1)
          for (const caller of sharers) yield* caller.leave
        })
    )

  it.effect("a crowd takes only as many idle ones as it fills", () => crowdsOnIdle(60_000, 0))

  it.effect("only as many idle ones are checked as a crowd fills", () => crowdsOnIdle(0, 1))

  it.effect("one that asks for a connection of its own is not overtaken", () =>
    onBusiest({ maxConnections: 1 }, ({ enter }) =>
      Effect.gen(function*() {
        const [first, second] = [yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        const owner = yield* enter("withConnection")
        const late = yield* enter()
        yield* first.leave
        assert.deepStrictEqual([owner.on(), late.on()], [undefined, undefined])
        yield* second.leave
        assert.deepStrictEqual([owner.on(), late.on()], [1, undefined])
        yield* owner.leave
        assert.strictEqual(late.on(), 1)
        yield* late.leave
      })))

  it.effect("one that is to be retired is joined by nobody", () =>
    onBusiest({ maxConnections: 2 }, ({ enter, pool }) =>
      Effect.gen(function*() {
        const [first, second] = [yield* enter(), yield* enter()]
        yield* TestClock.adjust("1 second")
        yield* pool.retire(1)
        const third = yield* enter()
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([first.on(), second.on(), third.on()], [1, 1, 2])
        for (const caller of [first, second, third]) yield* caller.leave
        assert.strictEqual((yield* pool.stats).counts.retired.invalidated, 1)
      })))
})

describe("ConnectionPool.acquireWith", () => {
  it.effect("a lease that is meant to last raises no suspicion, and goes by its label", () =>
    onSharedPool({ leakTimeout: "10 seconds" }, ({ pool }) =>
      Effect.scoped(Effect.gen(function*() {
        const lease = yield* Effect.forkScoped(
          Effect.scoped(Effect.andThen(pool.acquireWith({ label: "listener", isLongLived: true }), Effect.never))
        )
        yield* settle
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* pool.connections)[0]!.label, "listener")
        assert.strictEqual((yield* pool.stats).counts.leaksSuspected, 0)
        yield* Fiber.interrupt(lease)
      }))))
})

describe("ConnectionPool.withShared where the pool finds out what sharers join", () => {
  const sizes = (callers: ReadonlyArray<{ readonly on: () => number | undefined }>): ReadonlyArray<number> =>
    Object.values(Object.groupBy(callers, (caller) => String(caller.on()))).map((all) => all!.length).toSorted()

  /** Three connections that six callers may share, after leases that were short. */
  const onAdaptive = (
    body: (
      bench: Effect.Success<ReturnType<typeof setUp>> & { readonly crowd: typeof crowd }
    ) => Effect.Effect<void, unknown, Scope.Scope>,
    options: Options = {}
  ) =>
    onSharedPool(
      { minConnections: 3, maxConnections: 3, freshnessWindow: "1 hour", ...options },
      (bench) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("3 seconds")
          yield* Effect.repeat(bench.pool.withShared(() => Effect.void), { times: 31 })
          yield* body({ ...bench, crowd })
        }),
      { joins: "adaptive", sharers: 6 }
    )

  const crowd = (count: number, enter: Effect.Success<ReturnType<typeof setUp>>["enter"]) =>
    Effect.forEach(Array.from({ length: count }), () => enter())

  it.effect("after short leases those that come together fill a connection before another is taken", () =>
    onAdaptive(({ crowd, enter }) =>
      Effect.gen(function*() {
        const callers = yield* crowd(8, enter)
        assert.deepStrictEqual(sizes(callers), [2, 6])
        for (const caller of callers) yield* caller.leave
      })
    ))

  it.effect("leases that last because many share the time are short", () =>
    onSharedPool(
      { minConnections: 3, maxConnections: 3, freshnessWindow: "1 hour" },
      ({ enter, pool }) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("3 seconds")
          yield* Effect.repeat(pool.withShared(() => Effect.void), { times: 31 })
          for (let round = 0; round < 4; round++) {
            const callers = yield* crowd(60, enter)
            yield* TestClock.adjust("3 millis")
            for (const caller of callers) yield* caller.leave
          }
          const callers = yield* crowd(3, enter)
          assert.deepStrictEqual(sizes(callers), [3])
          for (const caller of callers) yield* caller.leave
        }),
      { joins: "adaptive", sharers: 60 }
    ))

  it.effect("they spread while nothing is known of their leases", () =>
    onSharedPool(
      { minConnections: 3, maxConnections: 3, freshnessWindow: "1 hour" },
      ({ enter }) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("3 seconds")
          const callers = yield* crowd(3, enter)
          assert.deepStrictEqual(sizes(callers), [1, 1, 1])
          for (const caller of callers) yield* caller.leave
        }),
      { joins: "adaptive", sharers: 6 }
    ))

  it.effect("they spread again once leases are long", () =>
    onAdaptive(({ crowd, enter }) =>
      Effect.gen(function*() {
        const long = yield* enter()
        yield* TestClock.adjust("1 second")
        yield* long.leave
        const callers = yield* crowd(3, enter)
        assert.deepStrictEqual(sizes(callers), [1, 1, 1])
        for (const caller of callers) yield* caller.leave
      })
    ))

  it.effect("one that turns out to be long holds up nobody who comes later", () =>
    onAdaptive(({ crowd, enter }) =>
      Effect.gen(function*() {
        const long = yield* enter()
        yield* TestClock.adjust("3 millis")
        const later = yield* crowd(2, enter)
        assert.notInclude(later.map((caller) => caller.on()), long.on())
        assert.deepStrictEqual(sizes(later), [2])
        for (const caller of [long, ...later]) yield* caller.leave
      })
    ))

  it.effect("those who find none idle join the one with the fewest, until all are full", () =>
    onAdaptive(({ crowd, enter }) =>
      Effect.gen(function*() {
        const long: Array<Effect.Success<ReturnType<typeof enter>>> = []
        for (let i = 0; i < 3; i++) {
          long.push(yield* enter())
          yield* TestClock.adjust("3 millis")
        }
        const callers = long.concat(yield* crowd(16, enter))
        assert.deepStrictEqual(sizes(callers.slice(0, 12)), [4, 4, 4])
        assert.deepStrictEqual(sizes(callers.slice(0, 18)), [6, 6, 6])
        assert.isUndefined(callers[18]!.on())
        for (const caller of callers) yield* caller.leave
      })
    ))

  it.effect("the pool grows for those that join a long lease, and not for those that come together", () =>
    onAdaptive(({ crowd, enter, pool }) =>
      Effect.gen(function*() {
        const together = yield* crowd(3, enter)
        yield* TestClock.adjust("1 milli")
        assert.strictEqual((yield* pool.stats).opening, 0)
        yield* TestClock.adjust("3 millis")
        const late = yield* enter()
        assert.strictEqual((yield* pool.stats).opening, 1)
        for (const caller of [...together, late]) yield* caller.leave
        yield* TestClock.adjust("1 second")
      }), { minConnections: 1 }))
})

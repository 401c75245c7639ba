import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool, type PoolStats, type Traffic } from "@effect-pools/core"
import { GatedConnector } from "@effect-pools/testing"
import { Effect, Fiber } from "effect"
import type { Lease } from "../src/internal/line/lease.ts"
import { QueueFull } from "../src/PoolError.ts"
import { MakeOrder } from "../src/internal/line/line.ts"
import type { Order } from "../src/internal/line/order.ts"
import { advance, borrow, call, onPool } from "./utils/bench.ts"

/** Last come, first served; whoever is labelled "never" is not served while it may not be. */
class LastComeFirstServed implements Order {
  private readonly stack: Array<Lease> = []
  mayServe: (lease: Lease) => boolean = () => true
  readonly told: Array<string> = []
  /** How often it was asked for the whole line. */
  asked = 0
  readonly account = {
    began: ({ request }: Lease) => void this.told.push(`began ${request.options?.label}`),
    ended: ({ request }: Lease) => void this.told.push(`ended ${request.options?.label}`)
  }

  get wanted(): number {
    return this.stack.filter(this.mayServe).length
  }

  get wantedShared(): number {
    return this.stack.filter((lease) => lease.isShared && this.mayServe(lease)).length
  }

  get traffic(): PoolStats.TrafficStats {
    const none = { high: 0, normal: 0, low: 0 }
    return { level: 0, pending: { ...none, normal: this.stack.length }, refused: none, keys: [] }
  }

  priorityOf(): Traffic.Priority {
    return "normal"
  }

  enter(lease: Lease): number {
    this.stack.push(lease)
    return Infinity
  }

  leave(lease: Lease): void {
    this.stack.splice(this.stack.indexOf(lease), 1)
  }

  first(): Lease | undefined {
    return this.stack.findLast(this.mayServe)
  }

  isNext(lease: Lease): boolean {
    return this.mayServe(lease)
  }

  refusal(_: Lease, pending: number, pendingLimit: number): QueueFull | undefined {
    return pending < pendingLimit ? undefined : new QueueFull({ pending, pendingLimit })
  }

  [Symbol.iterator](): Iterator<Lease> {
    this.asked++
    return this.stack.toReversed()[Symbol.iterator]()
  }
}

const inOrder = <A, E, R>(order: Order, effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, MakeOrder, () => order)

describe("ConnectionPool: the order of the line", () => {
  it.effect("is one file: with another, whoever came last is served first, and nothing else changes", () => {
    const order = new LastComeFirstServed()
    return inOrder(
      order,
      onPool({ maxConnections: 1 }, function*({ pool }) {
        const served: Array<string> = []
        const holder = yield* borrow(pool, "holder")
        const caller = (label: string) => pool.withConnection(() => Effect.sync(() => served.push(label)), { label })
        const fibers = []
        for (const label of ["a", "b", "c"]) {
          fibers.push(yield* Effect.forkScoped(caller(label)))
          yield* advance(1)
        }
        const gone = yield* call(pool, "gone")
        yield* gone.interrupt
        yield* holder.giveBack
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(served, ["c", "b", "a"])
        assert.strictEqual(
          order.told.join(),
          "began holder,ended holder,began c,ended c,began b,ended b,began a,ended a"
        )
      })
    )
  })

  it.effect("may hold back a waiter: others pass it, and no connection is opened for it", () => {
    const order = new LastComeFirstServed()
    order.mayServe = ({ request }) => request.options?.label !== "never"
    return inOrder(
      order,
      onPool({ maxConnections: 2, acquireTimeout: "5 seconds" }, function*({ fake, pool }) {
        const held = yield* call(pool, "never")
        assert.deepStrictEqual([held.exit(), fake.dialled], [undefined, 0])
        assert.isDefined((yield* call(pool, "other")).exit())
        assert.isDefined((yield* call(pool, "other")).exit())
        assert.deepStrictEqual([(yield* pool.stats).idle, (yield* pool.stats).pending], [1, 1])
        order.mayServe = () => true
        yield* pool.resume
        yield* pool.withConnection(() => Effect.void)
        yield* advance(0)
        assert.isDefined(held.exit())
      })
    )
  })

  it.effect("keeps the deadline of each waiter, whoever is served first", () =>
    inOrder(
      new LastComeFirstServed(),
      onPool({ maxConnections: 1, acquireTimeout: "5 seconds" }, function*({ pool }) {
        yield* borrow(pool, "holder")
        const first = yield* call(pool)
        yield* advance("1 second")
        const second = yield* call(pool)
        yield* advance(3999)
        assert.isUndefined(first.reason())
        yield* advance(1)
        assert.strictEqual(first.reason()?._tag, "AcquireTimeout")
        assert.isUndefined(second.reason())
        yield* advance("1 second")
        assert.strictEqual(second.reason()?._tag, "AcquireTimeout")
      })
    ))

  it.effect("is not asked for the whole line when the time of a few is up", () => {
    const order = new LastComeFirstServed()
    return inOrder(
      order,
      onPool({ maxConnections: 1, acquireTimeout: "5 seconds" }, function*({ pool }) {
        yield* borrow(pool, "holder")
        const first = yield* call(pool)
        yield* advance("1 second")
        yield* call(pool)
        yield* advance("4 seconds")
        assert.strictEqual(first.reason()?._tag, "AcquireTimeout")
        assert.strictEqual(order.asked, 0)
      })
    )
  })

  it.effect("is of each pool its own", () =>
    Effect.gen(function*() {
      let made = 0
      const gates = GatedConnector.make()
      const make = ConnectionPool.make(gates.connector, { minConnections: 0, metrics: false })
      yield* Effect.provideService(Effect.all([make, make]), MakeOrder, () => {
        made++
        return new LastComeFirstServed()
      })
      assert.strictEqual(made, 2)
    }).pipe(Effect.scoped))
})

/**
 * The hold: Effect's `Pool` owns every connection of the pool, from its arrival to its end. No other file knows it.
 *
 * - A connection that a dial has brought is *enrolled*: the Pool acquires it, and the engine has it on *loan*. A loan is a
 *   `Pool.get` into a scope that the connection owns. It outlives each borrower, so a lease from what is at hand and a
 *   hand-over to the next in line cost the Pool nothing
 * - idle connections that the minimum does not need go back to *rest* in the Pool, which ends them after `idleTimeout`
 * - the finalizer of its item is the one way out for a connection, whatever ends it
 *
 * Every operation completes within the calling step, so nothing comes between the end of a loan and its `invalidate`.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pool from "effect/Pool"
import * as Scope from "effect/Scope"
import { Inline } from "../base/inline.ts"
import { type PoolTime, withTime } from "../base/time.ts"
import type { Pooled } from "../line/lease.ts"

/** Told of every Pool that is made: in tests alone, which know it by its key. */
export const PoolObserver = Context.Reference<(pool: Pool.Pool<any>) => void>("@effect-pools/core/PoolObserver", {
  defaultValue: () => () => {}
})

export class Hold {
  readonly pool: Pool.Pool<Pooled>
  /** Connections that rest in the Pool. */
  resting = 0
  private readonly inline: Inline
  private readonly exitDoor: (connection: Pooled) => void
  private arrival: Pooled | undefined = undefined
  /** Since when the connection is idle whose loan ends just now: it rests with the age it has. */
  private restingSince: number | undefined = undefined
  private wakeTimeToLive: () => void = () => {}

  /** `exitDoor` is told of each connection that has left the Pool, to close it beside everybody. */
  constructor({ exitDoor, maxConnections, scope, time, timeToLive }: {
    readonly maxConnections: number
    readonly timeToLive: number
    readonly time: PoolTime
    readonly scope: Scope.Scope
    readonly exitDoor: (connection: Pooled) => void
  }) {
    this.exitDoor = exitDoor
    this.inline = new Inline(this.makeClock(time))
    const acquire = Effect.acquireRelease(
      Effect.sync(() => this.takeArrival()),
      (connection) => Effect.sync(() => this.left(connection))
    )
    // With a minimum of its own the Pool would dial by itself and keep a fiber waiting for each connection that ended.
    const made = Pool.makeWithTTL({ acquire, min: 0, max: maxConnections, timeToLive })
    // The Pool would wait for loans when its scope closes: they end before it looks.
    const ended = Scope.addFinalizer(scope, Effect.sync(() => this.leaveAll()))
    this.pool = this.inline.run(Effect.tap(Scope.provide(made, scope), ended))
  }

  /** Takes in a connection that has arrived, on loan. There is room: what is being closed has left before. */
  enrol(connection: Pooled): void {
    this.arrival = connection
    connection.isHeld = true
    this.resting++
    this.borrow(connection)
  }

  /** Takes a resting connection on loan, and with it those that the Pool lends before: they rest again in time. */
  borrow(connection: Pooled): void {
    while (connection.loan === undefined) {
      const loan = Scope.makeUnsafe()
      this.inline.run(Scope.provide(Pool.get(this.pool), loan)).loan = loan
      this.resting--
    }
  }

  /** Ends a loan, and lets an idle connection rest. */
  rest(connection: Pooled): void {
    const { loan } = connection
    if (loan === undefined) return
    connection.loan = undefined
    this.resting++
    this.restingSince = connection.idleSince
    this.inline.run(Scope.close(loan, Exit.void))
    this.restingSince = undefined
  }

  /** Sends a connection through the exit door. */
  leave(connection: Pooled): void {
    const loanEnded = connection.loan === undefined ? Effect.void : Scope.close(connection.loan, Exit.void)
    this.inline.run(Effect.andThen(loanEnded, Pool.invalidate(this.pool, connection)))
    // A Pool that is being closed invalidates nothing.
    this.left(connection)
  }

  /** Lets the time to live end what has rested for as long. */
  expire(): void {
    this.wakeTimeToLive()
    this.inline.flush()
  }

  private takeArrival(): Pooled {
    const { arrival } = this
    if (arrival === undefined) throw new Error("Effect's Pool asked for a connection that nobody has opened")
    this.arrival = undefined
    return arrival
  }

  private left(connection: Pooled): void {
    if (!connection.isHeld) return
    connection.isHeld = false
    if (connection.loan === undefined) this.resting--
    else connection.loan = undefined
    this.exitDoor(connection)
  }

  private leaveAll(): void {
    for (const { exit } of Array.from(this.pool.state.items)) if (Exit.isSuccess(exit)) this.leave(exit.value)
  }

  /** The Pool's clock: its time is the engine's, and its sleep ends when the engine says that a connection is due. */
  private makeClock(time: PoolTime): Clock.Clock {
    return withTime(time.clock, () => this.restingSince ?? time.now(), () =>
      Effect.callback<void>((resume) => {
        this.wakeTimeToLive = () => resume(Effect.void)
      }))
  }
}

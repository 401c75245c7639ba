/**
 * Single statements of a pool that keeps heavy ones in a lane: they hold a share of the connections at most, so that short
 * ones never wait for all of them.
 */
import { steadyMillis } from "@effect-pools/core/TimeLimit"
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import { AcquireTimeout, PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import type { LentConnection } from "../lent.ts"
import type { Costs, Run, StatementCost } from "./costs.ts"
import { ask } from "./plan.ts"

type Pool = ConnectionPool<LentConnection>

/** Told in place of an answer by a statement that was found to be heavy while it waited for its connection. */
const turnedAway: unique symbol = Symbol("turned away")

/** How a statement gets a connection and runs there, with a turn of the lane or without. */
type Borrow<A, E, R> = (isInLane: boolean) => Effect.Effect<A | typeof turnedAway, E, R>

export class Lane {
  readonly costs: Costs
  private readonly permits: number
  private readonly turns: Semaphore.Semaphore
  /** How many turns there are now. */
  private open: number

  constructor(costs: Costs, permits: number) {
    this.costs = costs
    this.permits = this.open = permits
    this.turns = Semaphore.makeUnsafe(permits)
  }

  /** Runs a statement, in the lane if it is heavy. */
  run<A, E, R>(
    pool: Pool,
    text: string,
    params: ReadonlyArray<unknown>,
    options: LeaseOptions | undefined,
    borrow: Borrow<A, E, R>
  ): Effect.Effect<A, E | PoolError, R> {
    const inTurn = Effect.suspend(() => this.inTurn(pool, borrow))
    return Effect.flatMap(
      this.cost(pool, text, params, options),
      ({ isHeavy }): Effect.Effect<A, E | PoolError, R> =>
        isHeavy
          ? inTurn
          : Effect.flatMap(borrow(false), (answer) => answer === turnedAway ? inTurn : Effect.succeed(answer as A))
    )
  }

  /** The planner is asked for what has not been seen often enough, at most every ten minutes a text. */
  cost(
    pool: Pool,
    text: string,
    params: ReadonlyArray<unknown>,
    options?: LeaseOptions
  ): Effect.Effect<StatementCost, PoolError> {
    return Effect.clockWith((clock) => {
      const read = Effect.sync(() => this.costs.read(text, steadyMillis(clock)))
      if (!this.costs.wants(text, clock.currentTimeMillisUnsafe())) return read
      return Effect.flatMap(pool.withConnection((lease) => ask(lease, text, params), options), (planned) => {
        this.costs.planned(text, planned, clock.currentTimeMillisUnsafe())
        return read
      })
    })
  }

  /** Runs a statement that has its connection, and takes in how long it takes, whoever waits for what before it. */
  timed<A, E, R>(
    text: string,
    isInLane: boolean,
    statement: Effect.Effect<A, E, R>
  ): Effect.Effect<A | typeof turnedAway, E, R> {
    return Effect.clockWith((clock): Effect.Effect<A | typeof turnedAway, E, R> => {
      let run: Run | undefined
      const begun = Effect.suspend((): Effect.Effect<A | typeof turnedAway, E, R> => {
        const now = steadyMillis(clock)
        if (!isInLane && this.costs.read(text, now).isHeavy) return Effect.succeed(turnedAway)
        run = this.costs.begin(text, isInLane, now)
        return statement
      })
      // Around the beginning too: a run that is never ended would hold a turn of the lane for ever.
      return Effect.onExitPrimitive(begun, (exit) => {
        if (run === undefined) return undefined
        this.costs.end(text, run, Exit.isSuccess(exit), steadyMillis(clock))
        // One that took a connection beside the lane has given it back.
        return !isInLane && this.open < this.permits ? this.adjust : undefined
      })
    })
  }

  /** The heavy statements that run beside the lane, since they began before anybody knew, take of its turns. */
  private readonly adjust: Effect.Effect<void> = Effect.clockWith((clock) => {
    this.open = Math.max(0, this.permits - this.costs.outside(steadyMillis(clock)))
    return Semaphore.resize(this.turns, this.open)
  })

  private inTurn<A, E, R>(pool: Pool, borrow: Borrow<A, E, R>): Effect.Effect<A, E | PoolError, R> {
    const { acquireTimeout } = pool.config
    // In the lane nothing is turned away.
    const held = borrow(true) as Effect.Effect<A, E, R>
    return Effect.andThen(
      this.adjust,
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          restore(Effect.timeoutOption(this.turns.take(1), acquireTimeout)),
          (taken): Effect.Effect<A, E | PoolError, R> =>
            taken._tag === "Some" ? Effect.ensuring(restore(held), this.turns.release(1)) : late(pool, acquireTimeout)
        )
      )
    )
  }
}

const late = (pool: Pool, waited: number): Effect.Effect<never, PoolError> =>
  Effect.flatMap(pool.stats, (stats) =>
    Effect.fail(
      new PoolError({
        pool: pool.name,
        reason: new AcquireTimeout({
          option: "acquireTimeout",
          step: "waiting",
          waited,
          elsewhere: 0,
          stats,
          lastConnectFailure: undefined,
          holders: [],
          holdsAlready: false
        })
      })
    ))

/**
 * Single statements of a pool that keeps heavy ones in a lane: they hold a share of the connections at most, so that short
 * ones never wait for all of them.
 */
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import { AcquireTimeout, PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { LentConnection } from "../lease.ts"
import type { Costs, StatementCost } from "./costs.ts"
import { ask } from "./plan.ts"

type Pool = ConnectionPool<LentConnection>

export class Lane {
  readonly costs: Costs
  private readonly turns: Semaphore.Semaphore

  constructor(costs: Costs, permits: number) {
    this.costs = costs
    this.turns = Semaphore.makeUnsafe(permits)
  }

  /** Runs a statement that `borrow` gets a connection for, in the lane if it is heavy. */
  run<A, E, R>(
    pool: Pool,
    text: string,
    params: ReadonlyArray<unknown>,
    options: LeaseOptions | undefined,
    borrow: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PoolError, R> {
    return Effect.flatMap(
      this.cost(pool, text, params, options),
      ({ isHeavy }): Effect.Effect<A, E | PoolError, R> => isHeavy ? this.inTurn(pool, borrow) : borrow
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
      if (!this.costs.wants(text, clock.currentTimeMillisUnsafe())) return Effect.sync(() => this.costs.read(text))
      return Effect.map(pool.withConnection((lease) => ask(lease, text, params), options), (planned) => {
        this.costs.planned(text, planned, clock.currentTimeMillisUnsafe())
        return this.costs.read(text)
      })
    })
  }

  /** Takes in how long a statement takes, whoever waits for what before it. */
  timed<A, E, R>(text: string, statement: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.clockWith((clock) => {
      const since = clock.monotonicTimeNanosUnsafe()
      // One that failed or was left says nothing of what it takes.
      return Effect.tap(
        statement,
        () => Effect.sync(() => this.costs.record(text, Number(clock.monotonicTimeNanosUnsafe() - since) / 1e6))
      )
    })
  }

  private inTurn<A, E, R>(pool: Pool, borrow: Effect.Effect<A, E, R>): Effect.Effect<A, E | PoolError, R> {
    const { acquireTimeout } = pool.config
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        restore(Effect.timeoutOption(this.turns.take(1), acquireTimeout)),
        (taken): Effect.Effect<A, E | PoolError, R> =>
          taken._tag === "Some" ? Effect.ensuring(restore(borrow), this.turns.release(1)) : late(pool, acquireTimeout)
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

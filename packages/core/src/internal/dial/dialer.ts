/**
 * The state that all dials of a pool share: their pace, their breaker, and one backoff for however many callers wait.
 *
 * A failure among dials that succeed says nothing of the backend: what is wanted is dialled again at once. In an outage
 * one dial at a time is made, after the delays of the `retry` schedule; so the cost of an outage depends
 * neither on how many wait nor on how long it lasts. When the schedule ends, a round is over: callers that nobody can
 * serve are told, and the next round begins after the last delay.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { PoolConfig } from "../model/config.ts"
import type { Mark } from "../base/mark.ts"
import { Backoff } from "../../Backoff.ts"
import { isRetryable } from "../base/retryable.ts"
import * as BreakerStore from "./breakerStore.ts"
import { RecentShare } from "../base/recentShare.ts"
import { steadied } from "../base/time.ts"

/** With fewer dials in the last seconds there is no telling whether a failure is one among successes. */
const dialsToTrust = 4

export class Dialer {
  /** Attempts in a row that failed. Dials that fail together are one attempt. */
  failures = 0
  /** Dials that have begun, those that wait for their turn left out. */
  underWay = 0
  /** Dials that succeeded. */
  successes = 0
  lastFailure: { readonly cause: unknown; readonly at: number } | undefined = undefined
  /** A delay between attempts is running: nobody dials. */
  isBlocked = false
  /** The schedule of attempts has ended and no dial has succeeded since. */
  isRoundOver = false
  /** The pool's time until which the breaker lets no dial through; 0 while it is closed. */
  breakerUntil = 0
  /** When a connection last ended as soon as it was open, and the number of the connection that was dialled next. */
  lastStillborn: { readonly at: number; readonly nextId: number } | undefined = undefined
  /** Connections in a row that ended by themselves under their first borrower, while no lease went well. */
  barren = 0
  /** How long the next connection must stay open before it counts as one, in milliseconds; 0 unless the last ended at once. */
  settling = 0
  /** Waits for the turn of a dial, and tells whether it was not at once. */
  readonly pace: Effect.Effect<boolean>
  private readonly config: PoolConfig
  private readonly mark: Mark
  private readonly breaker: CircuitBreaker.CircuitBreaker
  private readonly recent = new RecentShare()
  /** Isolated failures since the last success. */
  private isolated = 0
  private readonly backoff: Backoff
  private hasToldBreaker = false
  private blocks = 0

  constructor(
    config: PoolConfig,
    mark: Mark,
    pace: Effect.Effect<boolean>,
    breaker: CircuitBreaker.CircuitBreaker
  ) {
    this.config = config
    this.backoff = new Backoff(config.retry)
    this.mark = mark
    this.pace = pace
    this.breaker = breaker
  }

  /**
   * With a `CircuitBreakerStore` in the context processes share what they know of a backend: two that agree open the
   * breaker of all. Without one, or while it can't be asked, the pool has its own alone. A store that does not answer
   * holds up a dial for a second at most.
   */
  static readonly make = Effect.fnUntraced(
    function*(
      config: PoolConfig,
      mark: Mark,
      onStoreFailed: (cause: unknown) => void
    ): Effect.fn.Return<Dialer, never, Scope.Scope> {
      return new Dialer(config, mark, yield* makePace(config), yield* makeBreaker(config, onStoreFailed))
    }
  )

  /**
   * Runs a dial unless the breaker is open, and tells the breaker how it went. Dials that were under way together when
   * the backend failed say the same thing, so they count as one failure.
   */
  guard<A>(dial: Effect.Effect<A, unknown>, now: () => number): Effect.Effect<A, unknown> {
    const { successes } = this
    const guarded = this.breaker.execute(dial, {
      key: this.config.name,
      classify: (exit) => {
        if (Exit.isSuccess(exit)) return CircuitBreaker.success
        if (this.hasToldBreaker || this.isIsolated(successes, now())) return CircuitBreaker.ignored
        this.hasToldBreaker = true
        return CircuitBreaker.failure()
      }
    })
    const begin = Effect.sync(() => this.underWay++)
    return Effect.acquireUseRelease(begin, () => guarded, () => Effect.sync(() => this.underWay--))
  }

  /** Whether a dial whose turn has come may be made: after a failure only one at a time. */
  get mayDial(): boolean {
    return !this.isBlocked && (this.failures === 0 || this.underWay === 0)
  }

  /** How long the breaker stays open from now, in milliseconds; 0 when it is closed. */
  get openFor(): Effect.Effect<number> {
    return Effect.match(this.breaker.state(this.config.name), {
      onFailure: () => 0,
      onSuccess: (state) => state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0
    })
  }

  /** The delay before the next attempt, and whether the round is over. */
  readonly backOff = Effect.fnUntraced(function*(this: Dialer, now: number, cause: unknown) {
    const delay = yield* this.backoff.next(now, cause)
    if (this.backoff.hasEnded) this.isRoundOver = true
    return delay
  })

  /**
   * Whether a failure says nothing of the backend, given how many dials had succeeded when its dial began: another has
   * succeeded meanwhile, or most did lately. Such a failure holds nobody up.
   */
  isIsolated(successesBefore: number, now: number): boolean {
    const { failureRate, minimumDials } = this.config.breaker
    if (this.failures > 0 || this.isolated >= minimumDials) return false
    return this.successes > successesBefore ||
      this.recent.isMostlyGood(now, Math.min(minimumDials, dialsToTrust), failureRate)
  }

  /** Tells whether the failure was an isolated one; that of a dial which had seemed to succeed is none. */
  failed(cause: unknown, at: number, successesBefore: number | undefined): boolean {
    const isIsolated = successesBefore !== undefined && isRetryable(cause) && this.isIsolated(successesBefore, at)
    this.recent.note(at, false)
    this.mark.set()
    this.lastFailure = { cause, at }
    if (isIsolated) {
      this.isolated++
      return true
    }
    if (!this.isBlocked || this.failures === 0) this.failures++
    if (!isRetryable(cause)) this.isRoundOver = true
    return false
  }

  succeeded(at: number): void {
    this.successes++
    this.mark.set()
    this.recent.note(at, true)
    this.isolated = 0
    this.failures = 0
    this.lastFailure = undefined
    this.backoff.reset()
    this.breakerUntil = 0
    if (this.settling > 0) this.settling = this.barren = 0
    this.unblock(this.blocks)
  }

  /** The breaker lets no dial through until then. `true` if it was closed before. */
  breakerOpened(until: number): boolean {
    const wasClosed = this.breakerUntil === 0
    this.breakerUntil = until
    this.isRoundOver = true
    return wasClosed
  }

  /** A connection has ended under its first borrower. Tells how many have in a row, while no lease went well. */
  endedBarren(wentWellMeanwhile: boolean): number {
    return this.barren = wentWellMeanwhile ? 0 : this.barren + 1
  }

  /** The next connection must stay open for so long before it counts as one. */
  mustStay(millis: number): void {
    this.settling = millis
  }

  /** Lets nobody dial until `unblock` is called with what this returns. */
  block(): number {
    this.isBlocked = true
    return ++this.blocks
  }

  /** Ends a block, unless another has begun since. */
  unblock(block: number): boolean {
    if (block !== this.blocks) return false
    this.blocks++
    this.mark.set()
    this.isBlocked = false
    this.isRoundOver = false
    this.hasToldBreaker = false
    return true
  }
}

/** How long a breaker that refused a dial wants to be left alone, or `undefined` if it was the dial that failed. */
export const refusedFor = (error: unknown): number | undefined => {
  if (!(error instanceof CircuitBreaker.CircuitBreakerError)) return undefined
  return error.reason._tag === "CircuitOpen" ? Duration.toMillis(error.reason.retryAfter) : 0
}

const makePace = (config: PoolConfig): Effect.Effect<Effect.Effect<boolean>> => {
  const limit = Math.max(1, Math.round(config.connectRate))
  const window = Duration.seconds(limit / config.connectRate)
  return Effect.gen(function*() {
    const limiter = yield* Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory, { local: true })
    const consumed = limiter.consume({
      algorithm: "token-bucket",
      onExceeded: "delay",
      key: config.name,
      limit,
      window
    })
    const paced = Effect.provideService(Effect.orDie(consumed), Clock.Clock, steadied(yield* Clock.Clock))
    return Effect.flatMap(
      paced,
      ({ delay }) => Duration.isZero(delay) ? Effect.succeed(false) : Effect.as(Effect.sleep(delay), true)
    )
  })
}

const makeBreaker = Effect.fnUntraced(
  function*(
    config: PoolConfig,
    onStoreFailed: (cause: unknown) => void
  ): Effect.fn.Return<CircuitBreaker.CircuitBreaker, never, Scope.Scope> {
    const shared = yield* Effect.serviceOption(CircuitBreaker.CircuitBreakerStore)
    const { failureRate, minimumDials, openDuration } = config.breaker
    const own = yield* BreakerStore.own
    const store = Option.isSome(shared)
      ? BreakerStore.agreeing(own, BreakerStore.tolerant(shared.value, openDuration, onStoreFailed))
      : own
    return yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.rate({ threshold: failureRate, minimumCalls: minimumDials, size: 2 * minimumDials }),
      openDuration
    }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, BreakerStore.openedByFailure(store)))
  }
)

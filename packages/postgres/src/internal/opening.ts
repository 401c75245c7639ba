/**
 * The limit of the statements that open a transaction, or a level of it: a server that does not answer one loses the session.
 *
 * A fiber and a timer for each cost more than the statement does. So there is one for all that are sent while it sleeps.
 */
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** A statement that has no answer yet. */
export interface Opened {
  /** The time until which it is to have one. */
  readonly until: number
  /** Whether it was given the time by which its timer came late. */
  isExtended: boolean
}

/** A timer that comes so many milliseconds late, or more, tells that the event loop was blocked. */
const blocked = 10

export class Opening {
  /** Whether the session was given up since a statement had no answer in time. */
  isLate = false
  /** Those without an answer, the oldest first. All have the same limit. */
  private readonly open: Array<Opened> = []
  private watch: AnyFiber | undefined = undefined
  private readonly hangUp: () => void

  constructor(hangUp: () => void) {
    this.hangUp = hangUp
  }

  /** A fiber sends one. The limit is in milliseconds. */
  begin(fiber: AnyFiber, limit: number): Opened {
    const clock = fiber.getRef(Clock.Clock)
    const opened = { until: TimeLimit.steadyMillis(clock) + limit, isExtended: false }
    this.open.push(opened)
    if (this.watch === undefined) this.forkWatch(fiber, clock, limit)
    return opened
  }

  end(opened: Opened): void {
    if (this.open.length === 1) this.open.pop()
    else this.open.splice(this.open.indexOf(opened), 1)
  }

  stop(): void {
    this.watch?.interruptUnsafe()
  }

  /** It outlives the statement and its fiber, and keeps no process alive. */
  private forkWatch(fiber: AnyFiber, clock: Clock.Clock, limit: number): void {
    const run = Effect.runForkWith(PoolContext.unrefed(PoolContext.own(fiber.context)))
    const watch = run(this.watchOver(clock, limit))
    this.watch = watch
    watch.addObserver(() => {
      this.watch = undefined
    })
  }

  private watchOver(clock: Clock.Clock, limit: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const oldest = this.open[0]
      if (oldest === undefined) return Effect.void
      const late = TimeLimit.steadyMillis(clock) - oldest.until
      const again = this.watchOver(clock, limit)
      if (late < 0) return Effect.andThen(Effect.sleep(-late), again)
      // As `TimeLimit.sleep` has it: where the loop was blocked, what has arrived is read first.
      if (!oldest.isExtended) {
        oldest.isExtended = true
        return Effect.andThen(late < blocked ? Effect.yieldNow : Effect.sleep(Math.min(late, limit)), again)
      }
      this.isLate = true
      this.hangUp()
      return Effect.void
    })
  }
}

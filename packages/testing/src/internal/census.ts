/**
 * Counts physical connections the way a server would: from the start of a dial to the end of its close.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export class Census {
  opening = 0
  open = 0
  closing = 0
  opened = 0
  closed = 0
  failed = 0
  peak = 0

  get live(): number {
    return this.opening + this.open + this.closing
  }

  /** Counts a dial, however it ends: a failed or interrupted one is not open. */
  readonly dial = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.opening++
      this.peak = Math.max(this.peak, this.live)
      return Effect.onExit(effect, (exit) => Effect.sync(() => this.#dialled(Exit.isSuccess(exit))))
    })

  /** Counts a close. One that fails, dies or is given up is over too: whoever gave it up destroyed the socket. */
  readonly close = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.open--
      this.closing++
      return Effect.ensuring(effect, Effect.sync(() => this.#closed()))
    })

  #dialled(succeeded: boolean): void {
    this.opening--
    if (succeeded) {
      this.open++
      this.opened++
    } else {
      this.failed++
    }
  }

  #closed(): void {
    this.closing--
    this.closed++
  }
}

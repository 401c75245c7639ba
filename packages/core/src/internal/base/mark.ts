/**
 * The mark that a change leaves, so that nobody has to remember to tell the dispatcher of it.
 *
 * The owners of a pool's state set it whenever they change in a way that may let a caller be served or a connection be
 * opened. Each step that comes from outside ends with one look at it (`PoolState.act`).
 */
import * as Context from "effect/Context"

export class Mark {
  /** Whether the dispatcher has to look again. A field, since each lease tests it. */
  isSet = false

  set(): void {
    this.isSet = true
  }

  /** The dispatcher has looked. */
  clear(): void {
    this.isSet = false
  }
}

/** Told of the mark of every pool that is made: in tests alone. */
export const MarkObserver = Context.Reference<(mark: Mark) => void>("@effect-pools/core/MarkObserver", {
  defaultValue: () => () => {}
})

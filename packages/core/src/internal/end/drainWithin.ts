/**
 * The deadline that somebody above a pool gives its drain: a manager, or a program that has little time left.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** Documented where it is public: `ConnectionPool.DrainWithin`. */
export const DrainWithin: Context.Reference<Duration.Input | undefined> = Context.Reference<
  Duration.Input | undefined
>("@effect-pools/core/ConnectionPool/DrainWithin", { defaultValue: () => undefined })

/** ms that closes get when the time for the drain is up: a socket that can be closed is closed in less. */
export const lastCloses = 250

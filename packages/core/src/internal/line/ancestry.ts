/**
 * The origin of a fiber: whose work it does. A limit or a race around a lease runs it in a fiber of its own: for what a caller holds already
 * that fiber is the same as the one that forked it.
 *
 * Effect has no public name for either. A fiber that another waits for as its child has a `_parent`; those of a race, of a
 * limit or of `Effect.all` have none, but begin within the step of the fiber that forks them, which is `_running`. Without
 * these two fields a fiber is told by itself alone. This can go when Effect tells a fiber's origin.
 */
import type { Fiber } from "effect/Fiber"
import * as Predicate from "effect/Predicate"

/** A fiber and those whose child it is, the nearest first. */
export const ancestry = (fiber: Fiber<unknown, unknown>): ReadonlySet<unknown> => {
  const fibers = new Set<unknown>()
  for (let each: unknown = fiber; each !== undefined && !fibers.has(each); each = parentOf(each)) fibers.add(each)
  return fibers
}

/** Whether a fiber is in the middle of a step, within which what runs now was begun. */
export const isRunning = (fiber: Fiber<unknown, unknown>): boolean =>
  // Read and not asked for by `in`: each caller that waits asks this of every borrower. The type has no such field.
  (fiber as { readonly _running?: unknown })._running === true

const parentOf = (fiber: unknown): unknown => Predicate.hasProperty(fiber, "_parent") ? fiber._parent : undefined

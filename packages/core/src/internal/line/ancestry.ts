/**
 * The origin of a fiber: whose work it does. A limit or a race around a lease runs it in a fiber of its own: for what a caller holds already
 * that fiber is the same as the one that forked it.
 *
 * Effect has no public name for either. A fiber that another waits for as its child has a `_parent`; those of a race, of a
 * limit or of `Effect.all` have none, but begin within the step of the fiber that forks them, which is `_running`. Without
 * these two fields a fiber is told by itself alone. This can go when Effect tells a fiber's origin.
 */
import type { Fiber } from "effect/Fiber"

/** Enough of a fiber to tell it from others. */
type Known = Pick<Fiber<unknown, unknown>, "id">

/** A fiber and those whose child it is, the nearest first. */
export const ancestry = (fiber: Fiber<unknown, unknown>): ReadonlySet<unknown> => {
  const fibers = new Set<unknown>()
  for (let each: unknown = fiber; each !== undefined && !fibers.has(each); each = parentOf(each)) fibers.add(each)
  return fibers
}

/** Whether a fiber is another, or its child or that of a child. */
export const descends = (fiber: unknown, from: Known): boolean => {
  for (let each: unknown = fiber; each !== undefined; each = parentOf(each)) if (each === from) return true
  return false
}

/** Whether a fiber is one of others, or a descendant of one. */
export const isOf = (fiber: Known, others: ReadonlySet<unknown>): boolean => {
  for (let each: unknown = fiber; each !== undefined; each = parentOf(each)) if (others.has(each)) return true
  return false
}

/** Whether a fiber is in the middle of a step, within which what runs now was begun. */
export const isRunning = (fiber: Known): boolean =>
  // Read and not asked for by `in`: each caller that waits asks this of every borrower. The type has no such field.
  (fiber as { readonly _running?: unknown })._running === true

/** The fiber whose child it is. */
// Read and not asked for by `in`, as above.
export const parentOf = (fiber: unknown): unknown => (fiber as { readonly _parent?: unknown })._parent

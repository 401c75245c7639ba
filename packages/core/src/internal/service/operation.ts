/**
 * One implementation for a member of a pool and for the same member of its class.
 *
 * An operation takes the pool it works on. On a pool it becomes a method that works on the object it is called on: a copy
 * of the pool with another `withConnection` lends by that. On a class it works on the pool that the class finds, unless
 * that one has a member of its own.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Under this key a method tells which operation it stands for. */
const operationKey: unique symbol = Symbol.for("@effect-pools/core/operation")

/** Any operation; `never` accepts whatever arguments it has. */
export type Operation = (pool: never, ...args: never) => unknown

type Method = (this: unknown, ...args: ReadonlyArray<unknown>) => unknown

/** Marks a function as the ordinary implementation of an operation. */
export const mark = <F extends object>(method: F, operation: Operation): F =>
  Object.assign(method, { [operationKey]: operation })

/** Whether a pool has a member of its own, which is not the ordinary one. */
export const isOwn = (pool: object, name: string, operation: Operation): boolean => {
  const own = (pool as Record<string, { readonly [operationKey]?: Operation } | undefined>)[name]
  return own !== undefined && own[operationKey] !== operation && has(pool, name)
}

/** The object a method was called on, if it is a pool, and else the pool that the method was made for. */
export const receiverOf = <Pool extends object>(receiver: unknown, self: Pool): Pool =>
  receiver === self || !lends(receiver) ? self : receiver as Pool

/** A method that was taken from its pool and put elsewhere is called on things that are no pool. */
const lends = (receiver: unknown): boolean =>
  typeof receiver === "object" && receiver !== null && "withConnection" in receiver && "acquireWith" in receiver

/** A method whose effect begins when it is run: an operation that throws makes a defect. */
export const effectMethod = (self: object, operation: Operation): Method =>
  mark<Method>(function(...args) {
    const pool = receiverOf(this, self)
    return Effect.suspend(() => run(operation, pool, args) as Effect.Effect<unknown>)
  }, operation)

/** The same for an operation that gives a stream. */
export const streamMethod = (self: object, operation: Operation): Method =>
  mark<Method>(function(...args) {
    const pool = receiverOf(this, self)
    return Stream.suspend(() => run(operation, pool, args) as Stream.Stream<unknown>)
  }, operation)

/** Runs the operation on the pool that a class has found. */
export const call = (
  pool: object,
  name: string,
  operation: Operation,
  args: ReadonlyArray<unknown>
): unknown =>
  isOwn(pool, name, operation)
    ? (pool as Record<string, (...args: ReadonlyArray<unknown>) => unknown>)[name]!(...args)
    : run(operation, pool, args)

/** Reads a member of the pool that a class has found as a value, or else runs the operation. */
export const read = (pool: object, name: string, operation: Operation): unknown =>
  has(pool, name) ? (pool as Record<string, unknown>)[name] : run(operation, pool, none)

const none: ReadonlyArray<unknown> = []

// The types of operations and arguments are those of the member, which only its declaration knows.
export const run = (operation: Operation, pool: object, args: ReadonlyArray<unknown>): unknown =>
  (operation as (pool: object, ...args: ReadonlyArray<unknown>) => unknown)(pool, ...args)

/** `Layer.mock` answers for every name: only what was given is its own. */
const has = (pool: object, name: string): boolean =>
  Object.hasOwn(pool, name) || name in (Object.getPrototypeOf(pool) as object | null ?? {})

/** Makes something of each operation, by the names of the members. */
export const mapped = (
  operations: Readonly<Record<string, Operation>>,
  f: (name: string, operation: Operation) => unknown
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(operations).map(([name, operation]) => [name, f(name, operation)]))

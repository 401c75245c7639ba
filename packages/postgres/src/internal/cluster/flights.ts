/**
 * Equal reads that are asked for at the same time are run once.
 *
 * Nobody is given an answer that is older than it may be: a caller joins only what runs where its own writes are, and began
 * after its last read. A flight belongs to the cluster and not to the first who asked: it ends when nobody waits for it.
 */
import { PoolError } from "@effect-pools/core/PoolError"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { ClusterError } from "../../ClusterError.ts"
import type { Cluster } from "./cluster.ts"
import type { Node } from "./node.ts"
import type { View } from "./session.ts"

// A read is typed by whoever asks for it: `any` stays inside this file.
type AnyEffect = Effect.Effect<any, any, any>

/** More share no flight: the answer to so many would hold up everybody else. */
const mostJoined = 1_000

/** Where a flight runs; told when its lease begins. */
class Flight {
  readonly placed = Deferred.makeUnsafe<void>()
  readonly done = Deferred.makeUnsafe<unknown, unknown>()
  node: Node | undefined = undefined
  isOnPrimary = false
  /** The place that its server had reached for certain, and when. */
  lsn = 0
  startedAt = 0
  waiting = 0
  joined = 0
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined

  begin(node: Node | undefined, isOnPrimary: boolean, now: number): void {
    this.node = node
    this.isOnPrimary = isOnPrimary
    this.lsn = node?.sample?.lsn ?? 0
    this.startedAt = now
    Deferred.doneUnsafe(this.placed, Exit.void)
  }
}

/** The flight that the running read is. */
export const CurrentFlight = Context.Reference<Flight | undefined>("@effect-pools/postgres/Flight", {
  defaultValue: (): Flight | undefined => undefined
})

export class Flights {
  /** Reads that were answered by another's. */
  shared = 0
  private readonly open = new Map<string, Flight>()
  private readonly cluster: Cluster
  private readonly fork: (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>

  constructor(
    cluster: Cluster,
    fork: (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>
  ) {
    this.cluster = cluster
    this.fork = fork
  }

  /** Runs a read, or waits for an equal one that runs already, whose value is then given to each by `give`. */
  run(key: string, view: View, read: AnyEffect, give: Give): AnyEffect {
    return Effect.withFiber((fiber) => {
      // An answer that others wait for would lack the caller's write of just now.
      if (view.writing > 0) return read
      const alone = Effect.map(this.wait(() => this.start(key, read, fiber.context)), give)
      const flight = this.open.get(key)
      if (flight === undefined || flight.joined >= mostJoined) return alone
      const arrived = this.cluster.now()
      return Effect.flatMap(
        this.hold(() => flight, ({ placed }) => Deferred.await(placed)),
        () => isFor(flight, view, arrived) ? this.join(flight, read, give) : alone
      )
    })
  }

  private join(flight: Flight, read: AnyEffect, give: Give): AnyEffect {
    flight.joined++
    return Effect.flatMap(Effect.exit(this.wait(() => flight)), (exit) => {
      // A failure of the first for its own sake is not the fault of those who joined.
      if (Exit.isFailure(exit) && isPersonal(exit.cause)) return read
      this.shared++
      return Exit.map(exit, give)
    })
  }

  private start(key: string, read: AnyEffect, context: Context.Context<never>): Flight {
    const flight = new Flight()
    this.open.set(key, flight)
    // The context of the caller is the one that it was read with, so nothing is missing.
    const run: Effect.Effect<unknown, unknown> = read.pipe(
      Effect.provideService(CurrentFlight, flight),
      Effect.provideContext(ofNobody(context))
    ) as any
    flight.fiber = this.fork(Effect.onExitPrimitive(run, (exit) => {
      if (this.open.get(key) === flight) this.open.delete(key)
      Deferred.doneUnsafe(flight.done, exit)
      // Callers that wait to see where it runs need not wait any more.
      Deferred.doneUnsafe(flight.placed, Exit.void)
      return undefined
    }))
    return flight
  }

  private wait(flightOf: () => Flight): AnyEffect {
    return this.hold(flightOf, ({ done }) => Deferred.await(done))
  }

  /** The last who leaves ends it. */
  private hold<A, E>(flightOf: () => Flight, wait: (flight: Flight) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      let flight: Flight | undefined
      const held = Effect.suspend(() => {
        flight = flightOf()
        flight.waiting++
        return wait(flight)
      })
      // Around the beginning too: a flight that nobody waits for must not seem to have somebody.
      return Effect.onExitPrimitive(held, (exit) => {
        if (flight === undefined) return undefined
        flight.waiting--
        if (flight.waiting === 0 && Exit.hasInterrupts(exit)) flight.fiber?.interruptUnsafe()
        return undefined
      })
    })
  }
}

/** Whether an answer of a flight is one that the caller may see. */
const isFor = (flight: Flight, view: View, arrived: number): boolean => {
  if (flight.node === undefined) return false
  const isNew = flight.startedAt >= arrived
  const { last, token } = view
  if (view.written > 0 || token !== undefined) {
    // After a write the answer must come from where it is: the primary, when asked since, or a replica that has it.
    const hasWrites = flight.isOnPrimary
      ? isNew || flight.startedAt > view.writtenAt
      : !view.mayHaveWritten && (token === undefined || flight.lsn >= token.lsn)
    if (!hasWrites) return false
  }
  if (!view.isOrdered || last === undefined) return true
  return flight.startedAt >= last.at && (flight.isOnPrimary || flight.node === last.node)
}

const isPersonal = (cause: Cause.Cause<unknown>): boolean =>
  !Cause.hasFails(cause) ||
  cause.reasons.some((reason) =>
    Cause.isFailReason(reason) && (reason.error instanceof ClusterError || reason.error instanceof PoolError)
  )

/** The context of the first who asked without its span and annotations: others wait for it as well. */
const ofNobody = (context: Context.Context<never>): Context.Context<never> =>
  Context.omit(
    Tracer.ParentSpan,
    References.CurrentLogAnnotations,
    References.CurrentLogSpans
  )(context)

/** Makes of the value of a flight one that a caller may have. */
type Give = (value: unknown) => unknown

/** For callers that know that others have the same rows. */
export const frozen: Give = (value) => {
  if (!isPlain(value) || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}

/** For callers that don't, and may change their rows. Nobody is given the value itself, so that it stays as it is. */
export const copied: Give = (value) => {
  if (!isPlain(value)) return value
  if (Array.isArray(value)) return value.map(copied)
  // Not by assignment, which a `__proto__` in a jsonb would take for the prototype.
  const copy = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part)]))
  return Object.getPrototypeOf(value) === null ? Object.setPrototypeOf(copy, null) : copy
}

const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return true
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Equal for statements that are answered equally; `undefined` for parameters that can't be compared. */
export const keyOf = (
  text: string,
  params: ReadonlyArray<unknown>,
  about: ReadonlyArray<string | undefined>
): string | undefined => {
  const parts = params.map(encoded)
  return parts.includes(undefined) ? undefined : JSON.stringify([text, about.map((part) => part ?? null), parts])
}

const encoded = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return `s${value}`
    case "number":
    case "boolean":
    case "bigint":
      return `${typeof value}${Object.is(value, -0) ? "-0" : String(value)}`
    case "undefined":
      return "null"
    case "object": {
      if (value === null) return "null"
      if (value instanceof Date) return `d${value.getTime()}`
      if (value instanceof Uint8Array) return `x${Buffer.from(value).toString("hex")}`
      if (!Array.isArray(value)) return undefined
      const parts = value.map(encoded)
      return parts.includes(undefined) ? undefined : `a${JSON.stringify(parts)}`
    }
    default:
      return undefined
  }
}

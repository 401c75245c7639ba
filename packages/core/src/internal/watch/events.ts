/**
 * Where the pool tells what happened: to listeners, and for failures nobody waits for, to the log as well.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import type { EventOptions } from "../model/connection.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import { oneLine } from "../../Describe.ts"
import type { PoolTime } from "../base/time.ts"

/** An event without what all have. */
export type WithoutCommon<Event> = Event extends PoolEvent ? Omit<Event, "pool" | "at"> : never

/** One way out: what is published, for as many streams as are run. */
class Outlet {
  private readonly buffer: number
  private readonly onFirst: () => void
  /** Made for the first reader: until then what is published costs nothing. */
  private pubsub: PubSub.PubSub<Take.Take<PoolEvent>> | undefined = undefined
  private isEnded = false

  constructor(buffer: number, onFirst: () => void) {
    this.buffer = buffer
    this.onFirst = onFirst
  }

  publish(event: PoolEvent): void {
    if (this.pubsub === undefined || this.isEnded || PubSub.publishUnsafe(this.pubsub, [event])) return
    // A synchronous publication does not slide by itself, and would lose the newest instead of the oldest.
    this.pubsub.pubsub.slide()
    PubSub.publishUnsafe(this.pubsub, [event])
  }

  /** Ends every stream, after what was published before. */
  end(): void {
    this.isEnded = true
    if (this.pubsub !== undefined) PubSub.endUnsafe(this.pubsub, Exit.void)
  }

  readonly stream: Stream.Stream<PoolEvent> = Stream.unwrap(
    Effect.suspend(() =>
      Effect.map(
        this.pubsub === undefined ? PubSub.sliding<Take.Take<PoolEvent>>(this.buffer) : Effect.succeed(this.pubsub),
        (made) => {
          this.pubsub ??= made
          this.onFirst()
          if (this.isEnded) this.end()
          return Stream.fromPubSubTake(this.pubsub)
        }
      )
    )
  )
}

/** The details that a stream may leave out. */
type Detail = "leases" | "operations"

const detailOf = ({ _tag }: PoolEvent): Detail | undefined =>
  _tag === "Acquired" || _tag === "Released" ? "leases" : _tag === "Operated" ? "operations" : undefined

export class EventHub {
  /** How many streams want the events of leases, which are made only for them. */
  leaseListeners = 0
  /** How many want those of operations. */
  operationListeners = 0
  /** Whether anybody has ever listened: until then no event needs to be put together. */
  isHeard = false
  /** By what they leave in of the details: nothing, leases, operations, both. */
  private readonly outlets: ReadonlyArray<{ readonly details: ReadonlyArray<Detail>; readonly outlet: Outlet }>

  /** The buffer is of each reader. */
  constructor(buffer: number) {
    const hear = (): void => {
      this.isHeard = true
    }
    const outlets: ReadonlyArray<ReadonlyArray<Detail>> = [[], ["leases"], ["operations"], ["leases", "operations"]]
    this.outlets = outlets.map((details) => ({ details, outlet: new Outlet(buffer, hear) }))
  }

  publish(event: PoolEvent): void {
    const detail = detailOf(event)
    for (const { details, outlet } of this.outlets) {
      if (detail === undefined || details.includes(detail)) outlet.publish(event)
    }
  }

  end(): void {
    for (const { outlet } of this.outlets) outlet.end()
  }

  /** The events from the moment the stream is run. */
  stream({ leases = true, operations = false }: EventOptions = {}): Stream.Stream<PoolEvent> {
    const { outlet } = this.outlets[(leases ? 1 : 0) + (operations ? 2 : 0)]!
    const withLeases = leases ? counted(outlet.stream, (by) => void (this.leaseListeners += by)) : outlet.stream
    return operations ? counted(withLeases, (by) => void (this.operationListeners += by)) : withLeases
  }
}

/** Counts a stream among the listeners as long as it runs. */
const counted = (stream: Stream.Stream<PoolEvent>, add: (by: 1 | -1) => void): Stream.Stream<PoolEvent> =>
  Stream.unwrap(
    Effect.as(Effect.acquireRelease(Effect.sync(() => add(1)), () => Effect.sync(() => add(-1))), stream)
  )

/** The parts of a pool that publishing and logging need. */
interface Teller {
  readonly config: { readonly name: string }
  readonly time: PoolTime
  readonly events: EventHub
  readonly forkDetached: (effect: Effect.Effect<unknown>) => unknown
}

/** Publishes an event, with the pool's name and the time. */
export const emit = ({ config, events, time }: Teller, event: WithoutCommon<PoolEvent>): void => {
  if (events.isHeard) events.publish({ pool: config.name, at: time.date(), ...event } as PoolEvent)
}

/** Logs what the program may want to know though nothing is wrong. */
export const inform = ({ config, forkDetached }: Teller, message: string): void => {
  forkDetached(Effect.annotateLogs(Effect.logInfo(oneLine(message)), { pool: config.name }))
}

/** Logs what went wrong beside every caller, so that it is never silent. */
export const warn = ({ config, forkDetached }: Teller, message: string): void => {
  forkDetached(Effect.annotateLogs(Effect.logWarning(oneLine(message)), { pool: config.name }))
}

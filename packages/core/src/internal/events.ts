/**
 * Where the pool tells what happened: to listeners, and for failures nobody waits for, to the log as well.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import type { PoolEvent } from "../PoolEvent.ts"
import { oneLine } from "./describe.ts"
import type { PoolState } from "./state.ts"

type WithoutCommon<Event> = Event extends PoolEvent ? Omit<Event, "pool" | "at"> : never

export class EventHub {
  /** How many streams run: events of single leases are made only for them. */
  listeners = 0
  private isEnded = false
  private readonly pubsub: PubSub.PubSub<Take.Take<PoolEvent>>

  constructor(pubsub: PubSub.PubSub<Take.Take<PoolEvent>>) {
    this.pubsub = pubsub
  }

  static make(buffer: number): Effect.Effect<EventHub> {
    return Effect.map(PubSub.sliding<Take.Take<PoolEvent>>(buffer), (pubsub) => new EventHub(pubsub))
  }

  publish(event: PoolEvent): void {
    if (this.isEnded || PubSub.publishUnsafe(this.pubsub, [event])) return
    // What is published synchronously does not slide by itself, and would lose the newest instead of the oldest.
    this.pubsub.pubsub.slide()
    PubSub.publishUnsafe(this.pubsub, [event])
  }

  /** Ends every stream, after what was published before. */
  end(): void {
    this.isEnded = true
    PubSub.endUnsafe(this.pubsub, Exit.void)
  }

  readonly stream: Stream.Stream<PoolEvent> = Stream.unwrap(
    Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => {
          this.listeners++
        }),
        () =>
          Effect.sync(() => {
            this.listeners--
          })
      ),
      Stream.suspend(() => Stream.fromPubSubTake(this.pubsub))
    )
  )
}

/** Publishes an event, with the pool's name and the time. */
export const emit = (state: PoolState, event: WithoutCommon<PoolEvent>): void => {
  state.events.publish({ pool: state.config.name, at: state.time.date(), ...event } as PoolEvent)
}

/** Logs what went wrong beside every caller, so that it is never silent. */
export const warn = (state: PoolState, message: string): void => {
  state.forkDetached(Effect.annotateLogs(Effect.logWarning(oneLine(message)), { pool: state.config.name }))
}

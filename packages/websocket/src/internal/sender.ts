/**
 * The messages that wait to be sent on one connection, and the callers that wait to send.
 *
 * A message that the network takes at once costs nothing more than the call. Only then, when bytes pile up, senders are
 * queued, in order, and bounded in time.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Effect from "effect/Effect"
import type { RawMessage } from "./configModel.ts"
import { BufferFull, type Delivery, SendTimeout, type WebSocketError } from "../WebSocketError.ts"
import type { ConnectionSettings } from "./settings.ts"
import type { Turn } from "./turn.ts"
import type { Wire } from "./wire.ts"

interface Owner {
  readonly hub: {
    readonly counts: { sent: number }
    readonly settings: Pick<ConnectionSettings<never>, "sendBufferLimit" | "sendPolicy" | "sendTimeout">
    readonly now: () => number
    readonly turn: Pick<Turn, "atEnd">
    readonly underWay: number
  }
  readonly wire: Wire | undefined
  readonly refusal: () => WebSocketError | undefined
  readonly fail: (reason: BufferFull | SendTimeout) => Effect.Effect<never, WebSocketError>
  readonly ended: (delivery: Delivery) => WebSocketError
}

interface Waiter {
  readonly size: number
  readonly go: () => void
}

export class Sender {
  private readonly owner: Owner
  private readonly waiters: Array<Waiter> = []
  private isCorked = false

  constructor(owner: Owner) {
    this.owner = owner
  }

  /** Sends a frame, and succeeds when the network has it. */
  send(frame: RawMessage): Effect.Effect<void, WebSocketError> {
    const refusal = this.owner.refusal()
    if (refusal !== undefined) return Effect.fail(refusal)
    if (this.hasRoom(frame)) return this.hand(frame)
    let isHanded = false
    const later = Effect.suspend(() => {
      isHanded = true
      const refusal = this.owner.refusal()
      return refusal === undefined ? this.hand(frame) : Effect.fail(refusal)
    })
    return this.owner.hub.settings.sendPolicy === "fail"
      ? this.full()
      : this.limited(Effect.andThen(this.turn(frame), later), () => isHanded ? "unknown" : "none")
  }

  hasRoom(frame: RawMessage): boolean {
    if (this.fits(frame)) return true
    // A message that only waits for the end of the turn is in nobody's way.
    this.uncork()
    return this.fits(frame)
  }

  private fits(frame: RawMessage): boolean {
    const buffered = this.owner.wire?.buffered() ?? 0
    return this.waiters.length === 0 &&
      (buffered === 0 || buffered + sizeOf(frame) <= this.owner.hub.settings.sendBufferLimit)
  }

  /** Waits for room, as the policy allows. */
  room(frame: RawMessage): Effect.Effect<void, WebSocketError> {
    return this.owner.hub.settings.sendPolicy === "fail" ? this.full() : this.limited(this.turn(frame), () => "none")
  }

  /** Gives a request to the wire, whatever becomes of it. With others under way more is expected in this turn. */
  post(frame: RawMessage): void {
    const { hub, wire } = this.owner
    hub.counts.sent++
    if (hub.underWay > 1 && !this.isCorked) this.cork(wire!)
    wire!.send(frame, this.onWritten)
  }

  /** From here to the end of the turn messages are gathered, to be sent together. */
  private cork(wire: Wire): void {
    this.isCorked = true
    wire.cork()
    this.owner.hub.turn.atEnd(this.uncork)
  }

  private readonly uncork = (): void => {
    if (!this.isCorked) return
    this.isCorked = false
    this.owner.wire?.uncork()
  }

  /** Gives a frame to the wire, and waits until the network has it, for `sendTimeout` at most. */
  private hand(frame: RawMessage): Effect.Effect<void, WebSocketError> {
    const { hub, wire } = this.owner
    let outcome: Effect.Effect<void, WebSocketError> | undefined
    let settle: ((outcome: Effect.Effect<void, WebSocketError>) => void) | undefined
    hub.counts.sent++
    const isTakenAtOnce = wire!.send(frame, (error) => {
      outcome = error === undefined || error === null
        ? Effect.void
        : Effect.suspend(() => Effect.fail(this.owner.ended("unknown")))
      settle?.(outcome)
      this.onWritten()
    })
    // Only a socket that has ended holds nothing either.
    const isTaken = (): boolean => wire!.buffered() === 0 && this.owner.refusal() === undefined
    if (isTakenAtOnce || isTaken()) return Effect.void
    const written = Effect.callback<void, WebSocketError>((resume) => {
      if (outcome === undefined) settle = resume
      else resume(outcome)
    })
    const accepted = Effect.suspend(() => isTaken() ? Effect.void : this.limited(written, () => "unknown"))
    return this.isCorked ? Effect.callback((resume) => hub.turn.atEnd(() => resume(accepted))) : accepted
  }

  private readonly onWritten = (): void => {
    if (this.waiters.length > 0) this.wake()
  }

  /** Lets senders go on, as far as there is room, or all of them to learn that the connection has ended. */
  wake(): void {
    const { wire, hub: { settings } } = this.owner
    while (this.waiters.length > 0) {
      const buffered = wire?.buffered() ?? 0
      const first = this.waiters[0]!
      const isOver = this.owner.refusal() !== undefined
      if (!isOver && buffered > 0 && buffered + first.size > settings.sendBufferLimit) return
      this.waiters.shift()
      first.go()
    }
  }

  private turn(frame: RawMessage): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const waiter: Waiter = { size: sizeOf(frame), go: () => resume(Effect.void) }
      this.waiters.push(waiter)
      return Effect.sync(() => {
        const place = this.waiters.indexOf(waiter)
        if (place < 0) return
        this.waiters.splice(place, 1)
        // A message that waited behind a large one may be small enough.
        this.wake()
      })
    })
  }

  private limited<E>(
    effect: Effect.Effect<void, E>,
    delivery: () => Delivery
  ): Effect.Effect<void, E | WebSocketError> {
    const { hub, wire } = this.owner
    const since = hub.now()
    return TimeLimit.timeoutOrElse(effect, {
      duration: hub.settings.sendTimeout,
      orElse: () =>
        this.owner.fail(
          new SendTimeout({ waited: hub.now() - since, buffered: wire?.buffered() ?? 0, delivery: delivery() })
        )
    })
  }

  private full(): Effect.Effect<never, WebSocketError> {
    const buffered = this.owner.wire?.buffered() ?? 0
    return this.owner.fail(new BufferFull({ buffered, limit: this.owner.hub.settings.sendBufferLimit }))
  }
}

const sizeOf = (frame: RawMessage): number => typeof frame === "string" ? Buffer.byteLength(frame) : frame.byteLength

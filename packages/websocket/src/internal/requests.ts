/**
 * The requests of one connection that wait for their replies.
 *
 * One timer is kept for all of them, for the earliest deadline: a request costs an entry in a table, and no fiber.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { WebSocketError } from "../WebSocketError.ts"

type Reply<Message> = Effect.Effect<Message, WebSocketError>

export interface Pending<Message> {
  /** `undefined` for one that is answered in turn. */
  readonly id: string | undefined
  readonly since: number
  readonly deadline: number
  readonly resume: (reply: Reply<Message>) => void
  /** How many replies come before its own whose callers have gone. */
  strays: number
}

interface Owner {
  readonly clock: Clock.Clock
  /** The requests on all connections. */
  underWay: number
}

export class Requests<Message> {
  /** Those whose reply carries their id. */
  private readonly byId = new Map<string, Pending<Message>>()
  /** Those that are answered in the order in which they were sent. */
  private readonly inOrder: Array<Pending<Message>> = []
  /** The `strays` of the next request. */
  private strays = 0
  private hasStrayed = false
  private readonly hub: Owner
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly onTimeout: (waited: number) => Reply<Message>
  /** The deadline that the running timer is for. */
  private watched = Infinity
  /** How many of `underWay` are its own. */
  private counted = 0

  constructor(options: {
    readonly hub: Owner
    readonly fork: (effect: Effect.Effect<void>) => void
    readonly onTimeout: (waited: number) => Reply<Message>
  }) {
    this.hub = options.hub
    this.fork = options.fork
    this.onTimeout = options.onTimeout
  }

  get size(): number {
    return this.byId.size + this.inOrder.length
  }

  /** Whether a reply that names no request may still come: whoever used the connection next would take it for theirs. */
  get isOutOfStep(): boolean {
    return this.hasStrayed || this.inOrder.length > 0
  }

  /** Whether messages need to be asked for their id. */
  get hasIds(): boolean {
    return this.byId.size > 0
  }

  add(id: string | undefined, timeout: number, resume: (reply: Reply<Message>) => void): Pending<Message> {
    const since = this.now()
    const pending = { id, since, deadline: since + timeout, resume, strays: 0 }
    if (id === undefined) {
      pending.strays = this.strays
      this.strays = 0
      this.inOrder.push(pending)
    } else this.byId.set(id, pending)
    this.count()
    if (pending.deadline < this.watched) this.watch(pending.deadline, timeout)
    return pending
  }

  /** Takes the request that a message answers: that with its id or, if it has none, the one whose turn it is. */
  answered(id: string | undefined): Pending<Message> | undefined {
    const pending = this.take(id)
    this.count()
    return pending
  }

  /**
   * Forgets a request whose caller has gone; `false` if it was answered before. The reply of one without an id may still
   * come: in its turn, and it must not be taken for that of the request after it.
   */
  remove(pending: Pending<Message>): boolean {
    const isRemoved = this.forget(pending)
    this.count()
    return isRemoved
  }

  failAll(error: WebSocketError): void {
    const failed = [...this.byId.values(), ...this.inOrder]
    this.byId.clear()
    this.inOrder.length = 0
    this.count()
    for (const { resume } of failed) resume(Effect.fail(error))
  }

  private take(id: string | undefined): Pending<Message> | undefined {
    if (id !== undefined) {
      const pending = this.byId.get(id)
      if (pending !== undefined) this.byId.delete(id)
      return pending
    }
    const first = this.inOrder[0]
    if (first === undefined) {
      if (this.strays > 0) this.strays--
      return undefined
    }
    if (first.strays === 0) return this.inOrder.shift()
    first.strays--
    return undefined
  }

  private forget(pending: Pending<Message>): boolean {
    if (pending.id !== undefined) return this.byId.delete(pending.id)
    const place = this.inOrder.indexOf(pending)
    if (place < 0) return false
    this.inOrder.splice(place, 1)
    this.hasStrayed = true
    const strays = pending.strays + 1
    const after = this.inOrder[place]
    if (after === undefined) this.strays += strays
    else after.strays += strays
    return true
  }

  /** Tells the pool what has changed. */
  private count(): void {
    const { size } = this
    this.hub.underWay += size - this.counted
    this.counted = size
  }

  private now(): number {
    return TimeLimit.steadyMillis(this.hub.clock)
  }

  private watch(deadline: number, millis: number): void {
    this.watched = deadline
    this.fork(Effect.map(TimeLimit.sleep(Math.max(1, Math.ceil(millis))), () => {
      // A request with an earlier deadline may have set another timer since.
      if (this.watched === deadline) this.expire(deadline)
    }))
  }

  /** A deadline that came while the event loop was blocked has its own turn after it, so that what has arrived is read. */
  private expire(due: number): void {
    const now = this.now()
    let next = Infinity
    // A caller that is told of its timeout may send its next request at once, and set a timer for it.
    this.watched = Infinity
    for (const pending of [...this.byId.values(), ...this.inOrder]) {
      if (pending.deadline > due) next = Math.min(next, pending.deadline)
      else if (this.remove(pending)) pending.resume(this.onTimeout(now - pending.since))
    }
    if (next < this.watched) this.watch(next, next - now)
  }
}

/**
 * One borrower's view of a session, which ends with the lease.
 */
import { PoolMisuse, usedAfterLease } from "@effect-pools/core/PoolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { RawMessage } from "./configModel.ts"
import type { RequestOptions, WebSocketConnection } from "./connectionModel.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import { Inbox } from "./inbox.ts"
import type { Session } from "./session.ts"

export class Lent<Message> implements WebSocketConnection<Message> {
  /** Whether it gets frames as they are on the wire. */
  isRaw = false
  // Private to the language, so that nothing that prints a connection prints the pool.
  readonly #session: Session<Message>
  #inbox: Inbox<Message, WebSocketError> | undefined = undefined
  #isActive = true

  /** Where others use the connection too, what arrives is the pool's. */
  constructor(session: Session<Message>, isShared = false) {
    this.#session = session
    session.borrower = isShared ? undefined : this
  }

  get id(): number {
    return this.#session.id
  }

  get protocol(): string {
    return this.#session.wire?.protocol ?? ""
  }

  get inbox(): Inbox<Message, WebSocketError> {
    if (this.#inbox === undefined) {
      this.#inbox = new Inbox()
      if (this.#session.end !== undefined) this.#inbox.finish(Exit.fail(this.#session.end))
    }
    return this.#inbox
  }

  isFull(times = 1): boolean {
    return this.#inbox !== undefined && this.#inbox.size >= times * this.#session.hub.settings.inboundCapacity
  }

  /** A message that is the borrower's. */
  push(message: Message): "fine" | "full" {
    const { hub, id } = this.#session
    const { inbox } = this
    if (this.isFull() && hub.settings.inboundPolicy === "dropOldest") {
      inbox.dropOldest()
      hub.dropped(id)
    }
    inbox.push(message)
    return this.isFull() && hub.settings.inboundPolicy !== "dropOldest" ? "full" : "fine"
  }

  send(message: Message): Effect.Effect<void, WebSocketError> {
    return this.#used((session) => session.send(message))
  }

  sendRaw(frame: RawMessage): Effect.Effect<void, WebSocketError> {
    return this.#used((session) => session.sender.send(frame))
  }

  request(message: Message, options?: RequestOptions): Effect.Effect<Message, WebSocketError> {
    return this.#used((session) => {
      const { correlation, requestTimeout } = session.hub.settings
      if (correlation === undefined && session.borrower !== this) {
        return this.#misused("a request on a shared connection needs a correlation, which tells whose a reply is")
      }
      const timeout = options?.timeout
      return session.request(
        message,
        timeout === undefined ? requestTimeout : Duration.toMillis(Duration.fromInputUnsafe(timeout))
      )
    })
  }

  /** The next messages that arrive. */
  get take(): Effect.Effect<readonly [Message, ...Array<Message>], WebSocketError> {
    return Effect.suspend(() => {
      const session = this.#session
      if (!this.#isActive) return this.#misused(usedAfterLease)
      if (session.borrower !== this) {
        return this.#misused("a shared connection has no messages of its own: read those of the pool")
      }
      return Effect.map(this.inbox.take, (messages) => {
        session.resume()
        return messages
      })
    })
  }

  get messages(): Stream.Stream<Message, WebSocketError> {
    return Stream.fromPull(Effect.succeed(this.take))
  }

  close(code = 1000, reason = ""): Effect.Effect<void> {
    return this.#used((session) =>
      code === 1000 || (Number.isInteger(code) && code >= 3000 && code <= 4999)
        ? Effect.sync(() => session.beginClose(code, cut(reason)))
        : this.#misused("a close code is 1000 or from 3000 to 4999")
    )
  }

  /** The lease is over. What was not read goes to the pool. */
  revoke(): void {
    this.#isActive = false
    const session = this.#session
    if (session.borrower !== this) return
    session.borrower = undefined
    const inbox = this.#inbox
    if (inbox !== undefined) {
      for (const message of inbox.drain()) {
        if (this.isRaw) session.route(message as RawMessage)
        // It answered no request when it came, and so it answers none that was sent since.
        else session.give(message)
      }
      inbox.finish(Exit.die(this.#misuse(usedAfterLease)))
    }
    session.resume()
  }

  #used<A, E>(f: (session: Session<Message>) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (!this.#isActive) return this.#misused(usedAfterLease)
      const session = this.#session
      if (session.borrower === this) session.hasSpoken = true
      return f(session)
    })
  }

  #misuse(rule: string): PoolMisuse {
    return new PoolMisuse({ pool: this.#session.hub.pool, rule })
  }

  #misused(rule: string): Effect.Effect<never> {
    return Effect.die(this.#misuse(rule))
  }
}

/** A close frame has room for 123 bytes of a reason. */
const cut = (reason: string): string => {
  let text = reason.slice(0, 123)
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1)
  return text
}

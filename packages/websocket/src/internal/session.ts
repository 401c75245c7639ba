/**
 * One open WebSocket: who gets what arrives, what waits to be sent, and how it ends.
 *
 * A message that arrives goes, in this order, to: the heartbeat (`control`, or a reply to `keepAlive`), the request
 * that it answers, the borrower that has the connection to itself, the pool's readers.
 */
import * as ServerText from "@effect-pools/core/ServerText"
import type { Signals } from "@effect-pools/core/Connector"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { ControlMessages, RawMessage } from "./configModel.ts"
import {
  Closed,
  DecodeFailed,
  type Delivery,
  EncodeFailed,
  HeartbeatMissed,
  RequestTimeout,
  WebSocketError,
  type WebSocketErrorReason
} from "../WebSocketError.ts"
import { Heartbeat } from "./heartbeat.ts"
import type { Hub } from "./hub.ts"
import { MessageEnd } from "./operation.ts"
import { type Pending, Requests } from "./requests.ts"
import { Sender } from "./sender.ts"
import type { Listener, Wire } from "./wire.ts"

/** The parts of a borrower that its connection needs. */
interface Borrower<Message> {
  /** Whether it wants frames as they come. */
  readonly isRaw: boolean
  readonly push: (message: Message) => "fine" | "full"
  readonly isFull: (times?: number) => boolean
  readonly inbox: { readonly finish: (exit: Exit.Exit<never, WebSocketError>) => void }
}

export class Session<Message> implements Listener {
  readonly id: number
  readonly address: string
  readonly hub: Hub<Message>
  readonly requests: Requests<Message>
  readonly sender: Sender
  readonly heartbeat: Heartbeat<Message>
  /** The borrower that has the connection to itself. */
  borrower: Borrower<Message> | undefined = undefined
  /** Why it can no longer be used. */
  end: WebSocketError | undefined = undefined
  /** The borrower has sent something, so that nobody knows what it was in the middle of. */
  hasSpoken = false
  isSuspended = false
  wire: Wire | undefined = undefined
  private readonly signals: Signals
  private openedAt = 0
  private isClosing = false
  private isClosed = false
  private readonly goodbyes: Array<() => void> = []

  constructor(
    hub: Hub<Message>,
    address: string,
    signals: Signals,
    fork: (effect: Effect.Effect<void>) => void
  ) {
    this.id = hub.sessionId()
    this.address = address
    this.hub = hub
    this.signals = signals
    this.sender = new Sender(this)
    this.heartbeat = new Heartbeat(this)
    this.requests = new Requests<Message>({
      hub,
      fork,
      onTimeout: (waited) => this.fail(new RequestTimeout({ waited, wasSuspended: this.isSuspended }))
    })
  }

  /** Whether it may still be sent to: a peer that is closing it does not read any more. */
  get isOpen(): boolean {
    return this.end === undefined && this.wire?.isOpen() === true
  }

  error(reason: WebSocketErrorReason): WebSocketError {
    return new WebSocketError({ address: this.address, reason })
  }

  fail(reason: WebSocketErrorReason): Effect.Effect<never, WebSocketError> {
    return Effect.fail(this.error(reason))
  }

  /** Why nothing can be sent, if nothing can. */
  refusal(): WebSocketError | undefined {
    if (this.isOpen) return undefined
    return this.end === undefined
      ? this.error(this.closedReason(1005, "the connection is being closed", "none"))
      : this.ended("none")
  }

  // News of the wire.

  opened(wire: Wire): void {
    this.wire = wire
    this.openedAt = this.hub.now()
  }

  received(frame: RawMessage): void {
    this.hub.counts.received++
    const { control } = this.hub.settings
    if (control !== undefined && this.isControl(control, frame)) return
    if (this.borrower?.isRaw === true) this.give(frame as Message)
    else this.route(frame)
  }

  ponged(payload: string): void {
    this.heartbeat.ponged(payload)
  }

  /** This side gave it up: that is no verdict of the server's. */
  failed(code: number, reason: string): void {
    this.lose(new Closed({ ...this.closedReason(code, reason), isRetryable: true }))
  }

  closed(code: number, reason: string): void {
    this.isClosed = true
    this.lose(this.closedReason(code, reason))
    for (const goodbye of this.goodbyes.splice(0)) goodbye()
  }

  // Arrivals.

  /** Finds out whose a message is. */
  route(frame: RawMessage): void {
    const { codec } = this.hub
    if (codec.isIdentity) return this.deliver(frame as Message)
    const decoded = codec.decode(frame)
    if (Result.isFailure(decoded)) this.undecodable(frame, decoded.failure)
    else this.deliver(decoded.success)
  }

  /** Answers, or counts, what keeps the connection alive. Such a message is nobody else's. */
  private isControl(control: ControlMessages, frame: RawMessage): boolean {
    const said = this.ask(control.read, frame)
    if (said === undefined) return false
    switch (said._tag) {
      case "Ping": {
        // A server that pings and does not read the answers must not fill the memory.
        if (this.isOpen && this.sender.hasRoom(said.reply)) this.wire?.send(said.reply, ignore)
        return true
      }
      case "Pong": {
        this.heartbeat.ponged(said.id)
        return true
      }
      case "Heartbeat":
        return true
    }
  }

  private deliver(message: Message): void {
    const { keepAlive } = this.hub.settings
    if (keepAlive !== undefined && this.ask(keepAlive.isReply, message) === true) return this.heartbeat.proven()
    const pending = this.requests.answered(this.requests.hasIds ? this.idOf(message) : undefined)
    if (pending !== undefined) return pending.resume(Effect.succeed(message))
    this.give(message)
  }

  private idOf(message: Message): string | undefined {
    const { correlation } = this.hub.settings
    const id: unknown = correlation === undefined ? undefined : this.ask(correlation.idOf, message)
    if (id === undefined || id === null || typeof id === "string") return id ?? undefined
    this.hub.warn("correlation.idOf must yield a text or undefined, otherwise no reply is found")
    return undefined
  }

  /** Hands on what answers no request. */
  give(message: Message): void {
    if (this.isFlooded) return this.hub.dropped(this.id)
    this.hold(
      this.borrower === undefined
        ? this.hub.deliver({ _tag: "Message", connection: this.id, message })
        : this.borrower.push(message)
    )
  }

  private undecodable(frame: RawMessage, issue: string): void {
    const pending = this.requests.answered(this.requests.hasIds ? this.idOfFrame(frame) : undefined)
    if (pending === undefined) {
      return this.isFlooded ? this.hub.dropped(this.id) : this.hold(this.hub.undecodable(this.id, issue))
    }
    this.hub.counts.undecodable++
    pending.resume(this.fail(new DecodeFailed({ issue })))
  }

  /** The id in a frame that could not be decoded. It says nothing about the function when there is none to be found. */
  private idOfFrame(frame: RawMessage): string | undefined {
    const { correlation } = this.hub.settings
    const id = Result.getOrUndefined(Result.try((): unknown =>
      correlation?.idOfFrame === undefined
        ? correlation?.idOf(JSON.parse(String(frame)))
        : correlation.idOfFrame(frame)
    ))
    return typeof id === "string" ? id : undefined
  }

  /** Asks a function of the user's, whose defects must not end the process. */
  private ask<A, B>(f: (a: A) => B, a: A): B | undefined {
    const answer = Result.try(() => f(a))
    if (Result.isSuccess(answer)) return answer.success
    this.hub.warn(
      "an option's function failed on a message: correlation.idOf, keepAlive.isReply and control.read must not throw"
    )
    return undefined
  }

  private hold(state: "fine" | "full"): void {
    if (state === "fine" || this.isClosing) return
    if (this.hub.settings.inboundPolicy === "close") {
      this.hub.dropped(this.id)
      return this.beginClose(1008, "messages are not read fast enough")
    }
    if (this.isSuspended) return
    this.isSuspended = true
    this.wire?.pause()
    this.heartbeat.proven()
  }

  /** Reads on, if whoever the messages are for has caught up. */
  resume(): void {
    if (!this.isSuspended || (this.isFull() && !this.isClosing)) return
    this.isSuspended = false
    if (!this.isClosed) this.wire?.resume()
  }

  private isFull(times?: number): boolean {
    return this.borrower === undefined ? this.hub.isFull(times) : this.borrower.isFull(times)
  }

  /** A connection that is being closed is read to its end, and can't be held any more. */
  private get isFlooded(): boolean {
    return this.isClosing && this.hub.settings.inboundPolicy !== "dropOldest" && this.isFull(2)
  }

  // Sending.

  /** Sends a request and waits for its reply. */
  request(message: Message, timeout: number): Effect.Effect<Message, WebSocketError> {
    const { correlation } = this.hub.settings
    const id = correlation === undefined ? undefined : this.hub.requestId()
    const frame = this.frameOf(id === undefined ? message : correlation!.withId(message, id))
    return Result.isFailure(frame) ? Effect.fail(frame.failure) : this.exchange(message, id, frame.success, timeout)
  }

  /** Waits for room if there is none, sends, and waits for the reply. */
  private exchange(
    message: Message,
    id: string | undefined,
    frame: RawMessage,
    timeout: number
  ): Effect.Effect<Message, WebSocketError> {
    const hasRoom = this.sender.hasRoom(frame)
    const waitsSince = hasRoom ? undefined : this.hub.now()
    let pending: Pending<Message> | undefined
    const reply = Effect.callback<Message, WebSocketError>((resume) => {
      const refusal = this.refusal()
      if (refusal !== undefined) return resume(Effect.fail(refusal))
      pending = this.requests.add(id, timeout, resume)
      this.sender.post(frame)
      // No clean-up here: an interrupted caller is forgotten where its end is told.
    })
    return Effect.onExitPrimitive(hasRoom ? reply : Effect.andThen(this.sender.room(frame), reply), (exit) => {
      if (pending !== undefined && Exit.isFailure(exit)) this.requests.remove(pending)
      this.tell("request", message, waitsSince ?? pending?.since, exit)
      return undefined
    })
  }

  /** Tells the pool of the end of what was done with a message. One that was refused at once has taken no time. */
  private tell(
    kind: "send" | "request",
    message: Message,
    since: number | undefined,
    exit: Exit.Exit<unknown, WebSocketError>
  ): void {
    const took = since === undefined ? 0 : this.hub.now() - since
    this.signals.onOperation?.(new MessageEnd(kind, message, took, exit))
  }

  send(message: Message): Effect.Effect<void, WebSocketError> {
    const frame = this.frameOf(message)
    if (Result.isFailure(frame)) return Effect.fail(frame.failure)
    const since = this.hub.now()
    return Effect.onExitPrimitive(this.sender.send(frame.success), (exit) => {
      this.tell("send", message, since, exit)
      return undefined
    })
  }

  frameOf(message: Message): Result.Result<RawMessage, WebSocketError> {
    const { codec } = this.hub
    if (codec.isIdentity) return Result.succeed(message as RawMessage)
    return Result.mapError(codec.encode(message), (issue) => this.error(new EncodeFailed({ issue })))
  }

  // How it ends.

  /** It is of no more use: everybody who waits is told. */
  lose(reason: WebSocketErrorReason): void {
    if (this.end !== undefined) return
    const { hub } = this
    const error = this.error(reason)
    this.end = error
    const wasReady = hub.sessions.delete(this)
    if (!this.isClosing) {
      if (!reason.isRetryable) hub.stability.refused(error)
      // One that ends while it is being opened is a dial that failed anyway.
      if (wasReady) hub.stability.ended(error, this.openedAt, hub.now())
      if (reason._tag === "Closed") hub.stability.lost(reason.code, hub.now())
    }
    // A peer that does not answer a ping reads nothing either: messages that wait to be sent come back, and no farewell
    // is said.
    if (reason._tag === "HeartbeatMissed") this.wire?.terminate()
    this.requests.failAll(this.ended("unknown"))
    this.sender.wake()
    this.heartbeat.lost(error)
    this.borrower?.inbox.finish(Exit.fail(error))
    const [code, why] = reason._tag === "Closed" ? [reason.code, reason.closeReason] : [1006, reason._tag]
    if (wasReady) hub.tell({ _tag: "Closed", connection: this.id, code, reason: why })
    // Nothing is wrong with a server that says goodbye, nor with its other connections.
    if (orderly.has(code)) this.signals.onEnded()
    else this.signals.onBroken(error)
  }

  /** Why it ended, said to somebody whose message was or was not sent before. */
  ended(delivery: Delivery): WebSocketError {
    const reason = this.end?.reason ?? this.closedReason(1006, "", delivery)
    if (reason._tag === "Closed") return this.error(new Closed({ ...reason, delivery }))
    if (reason._tag === "HeartbeatMissed") return this.error(new HeartbeatMissed({ ...reason, delivery }))
    return this.error(reason)
  }

  private closedReason(code: number, reason: string, delivery: Delivery = "unknown"): Closed {
    const closeReason = ServerText.clean(reason, 123)
    const verdict = Result.try(() => this.hub.settings.closeCodes(code, closeReason))
    return new Closed({
      code,
      closeReason,
      lived: this.hub.now() - this.openedAt,
      delivery,
      isRetryable: this.isClosing || Result.isFailure(verdict) || verdict.success !== "never"
    })
  }

  /** Begins the closing handshake. What the peer sends meanwhile is still read. */
  beginClose(code: number, reason: string): void {
    if (this.isClosing) return
    this.isClosing = true
    this.resume()
    this.wire?.close(code, reason)
    this.requests.failAll(this.error(this.closedReason(code, reason)))
    this.sender.wake()
    this.signals.onEnded()
  }

  /** Closes it in order if the peer answers in time, and in any case. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { end, wire } = this
    if (end === undefined) this.beginClose(1000, "Pool cleanup")
    this.isClosing = true
    if (wire === undefined || this.isClosed) return Effect.void
    const isOver = Effect.callback<void>((resume) => {
      if (this.isClosed) return resume(Effect.void)
      this.goodbyes.push(() => resume(Effect.void))
    })
    return Effect.interruptible(isOver).pipe(
      Effect.timeoutOption(this.hub.settings.goodbyeTimeout),
      Effect.andThen(Effect.suspend(() => {
        if (this.isClosed) return Effect.void
        wire.terminate()
        return Effect.interruptible(isOver)
      }))
    )
  })
}

/** Codes of a server that ends a connection in good order: done, going away, restarting. */
const orderly: ReadonlySet<number> = new Set([1000, 1001, 1012])

const ignore = (): void => {}

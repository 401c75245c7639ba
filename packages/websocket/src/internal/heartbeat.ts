/**
 * Whether a connection lives: it is pinged as long as it is open, whoever holds it, and proves itself by the answers.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { HeartbeatMissed, type WebSocketError, type WebSocketErrorReason } from "../WebSocketError.ts"
import type { ControlMessages, RawMessage } from "./configModel.ts"
import type { ConnectionSettings } from "./settings.ts"
import type { Wire } from "./wire.ts"

/** The parts of a connection that its heartbeat needs. */
interface Pinged<Message> {
  readonly hub: {
    readonly settings: ConnectionSettings<Message>
    readonly clock: Clock.Clock
    readonly warn: (message: string) => void
  }
  readonly end: WebSocketError | undefined
  readonly isOpen: boolean
  readonly isSuspended: boolean
  readonly wire: Wire | undefined
  /** Why nothing can be sent, if nothing can. */
  readonly refusal: () => WebSocketError | undefined
  readonly frameOf: (message: Message) => Result.Result<RawMessage, WebSocketError>
  readonly lose: (reason: WebSocketErrorReason) => void
}

export class Heartbeat<Message> {
  private readonly session: Pinged<Message>
  private pings = 0
  /** Rises with each answer to a ping. */
  private proofs = 0
  private readonly provers: Array<(effect: Effect.Effect<void, WebSocketError>) => void> = []

  constructor(session: Pinged<Message>) {
    this.session = session
  }

  /** Pings at the interval, until there is no answer. */
  readonly beat: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const { session } = this
    const { pingInterval, pongTimeout } = session.hub.settings
    yield* Effect.sleep(pingInterval)
    while (session.end === undefined) {
      const isAlive = this.lifeSign()
      this.sendHeartbeat()
      this.ping()
      yield* TimeLimit.sleep(pongTimeout)
      if (!isAlive()) session.lose(new HeartbeatMissed({ waited: pongTimeout, delivery: "unknown" }))
      yield* Effect.sleep(pingInterval - pongTimeout)
    }
  })

  /** A round trip. One that is suspended by its readers can't make one, and is believed to be well. */
  readonly prove: Effect.Effect<void, WebSocketError> = Effect.callback((resume) => {
    const refusal = this.session.refusal()
    if (refusal !== undefined) return resume(Effect.fail(refusal))
    if (this.session.isSuspended) return resume(Effect.void)
    this.provers.push(resume)
    this.ping()
    return Effect.sync(() => {
      const place = this.provers.indexOf(resume)
      if (place >= 0) this.provers.splice(place, 1)
    })
  })

  ponged(payload: string): void {
    if (payload === String(this.pings)) this.proven()
  }

  /** It has answered; or nobody reads it any more, so that no answer can come. */
  proven(): void {
    this.proofs++
    for (const prover of this.provers.splice(0)) prover(Effect.void)
  }

  lost(error: WebSocketError): void {
    for (const prover of this.provers.splice(0)) prover(Effect.fail(error))
  }

  /** Tells the server that this side lives. Nobody answers it, so that it proves nothing. */
  private sendHeartbeat(): void {
    const { session } = this
    const { control } = session.hub.settings
    if (!session.isOpen || control?.heartbeat === undefined) return
    const now = session.hub.clock.currentTimeMillisUnsafe()
    this.sendControl("heartbeat", () => control.heartbeat!(now))
  }

  private sendControl(name: keyof ControlMessages, frame: () => RawMessage): void {
    const made = Result.try(frame)
    if (Result.isSuccess(made)) this.session.wire?.send(made.success, ignore)
    else this.session.hub.warn(`control.${name} failed, and nothing was sent: it must not throw`)
  }

  private ping(): void {
    const { session } = this
    const { control, keepAlive } = session.hub.settings
    if (!session.isOpen) return
    if (control !== undefined) return this.sendControl("ping", () => control.ping(String(++this.pings)))
    if (keepAlive === undefined) return session.wire?.ping(String(++this.pings))
    const frame = session.frameOf(keepAlive.message)
    if (Result.isFailure(frame)) return session.lose(frame.failure.reason)
    session.wire?.send(frame.success, ignore)
  }

  /**
   * Tells whether there was a sign of life since. Any byte is one: a pong may be queued behind a large message. While
   * nobody reads the connection there can't be any.
   */
  private lifeSign(): () => boolean {
    const { session } = this
    const { isSuspended } = session
    const { proofs } = this
    const bytes = session.wire?.bytesRead()
    return () => isSuspended || session.isSuspended || this.proofs !== proofs || session.wire?.bytesRead() !== bytes
  }
}

const ignore = (): void => {}

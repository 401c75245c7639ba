/**
 * One connection to the origin, as the pool holds it.
 */
import type { Inspection, Signals } from "@effect-pools/core/Connector"
import type { Exchange } from "./exchange.ts"
import { isOurs } from "./faults.ts"
import type { Job } from "./job.ts"
import * as KeepAlive from "./keepAlive.ts"
import * as RetryAfter from "./retryAfter.ts"
import { RequestEnd } from "./operation.ts"
import type { Watch } from "./watch.ts"
import type { Wire } from "./wire.ts"

/** The listeners of a connection. */
interface Keeper {
  readonly signals: Signals
  /** The server asked not to be asked for a while. */
  readonly asked: (exchange: Exchange) => void
  readonly watch: Watch
  readonly keepAlive: KeepAlive.KeepAlive
  readonly keepAliveMargin: number
  /** -1 without a limit. */
  readonly maxResponseSize: number
}

/** A busy process reads late what has come. */
const leastRoundTrip = 100

export class Connection implements KeepAlive.Kept {
  readonly wire: Wire
  /** The pool asks for it at the end of each lease that took a moment, and it stays the same. */
  readonly inspection: Inspection
  readonly exchanges = new Set<Exchange>()
  /** How long it may be idle, as the server said; `Infinity` while it has said nothing. */
  keepAlive = Infinity
  idleSince: number | undefined = undefined
  /** Told once when no request is under way any more. */
  onQuiet: (() => void) | undefined = undefined
  isBroken = false
  isEnded = false
  /** How long the news of a closed socket may take, in milliseconds: no longer than it took to open. */
  roundTrip = leastRoundTrip
  private readonly keeper: Keeper
  private hint: string | undefined = undefined

  constructor(wire: Wire, keeper: Keeper) {
    this.wire = wire
    this.inspection = { tags: { address: wire.address, protocol: wire.protocol } }
    this.keeper = keeper
  }

  get isMultiplexed(): boolean {
    return this.wire.protocol === "HTTP/2"
  }

  /** Sends a request. What becomes of it is told to the exchange. */
  send(job: Job, exchange: Exchange): void {
    this.exchanges.add(exchange)
    this.idleSince = undefined
    exchange.outgoing = job.outgoing
    if (this.keeper.maxResponseSize >= 0) exchange.maxSize = this.keeper.maxResponseSize
    exchange.guard = this.keeper.watch
    exchange.sentAt = this.keeper.watch.now()
    exchange.bytesBefore = this.wire.bytesRead()
    this.keeper.watch.wake()
    this.wire.dispatch(job, exchange)
  }

  /** Whether nothing has come from the server since the exchange began. */
  isSilentSince(exchange: Exchange): boolean {
    return this.wire.bytesRead() === exchange.bytesBefore
  }

  /** An exchange is over; called before anybody else is told. */
  settle(exchange: Exchange): void {
    const { signals: { onOperation }, watch } = this.keeper
    this.exchanges.delete(exchange)
    if (onOperation !== undefined && exchange.outgoing !== undefined && exchange.wasSent && !exchange.isOwn) {
      onOperation(new RequestEnd(exchange, exchange.outgoing, watch.now()))
    }
    if (exchange.status === 429 || exchange.status === 503) this.refused(exchange)
    if (exchange.error !== undefined) {
      exchange.metClosing = this.keeper.watch.now() - exchange.sentAt <= this.roundTrip
    }
    if (this.exchanges.size === 0) this.quiet()
    if (exchange.headers["retry-after"] !== undefined) this.keeper.asked(exchange)
    if (this.isMultiplexed) return
    if (this.wire.isOpen()) this.heed(exchange)
    // Closed with its response, or by us in the middle of it: nothing is wrong with the server.
    else if (exchange.error === undefined || isOurs(exchange.error)) this.end()
    else this.break(exchange.error)
  }

  /** The server is full, or wants to be left alone. */
  private refused(exchange: Exchange): void {
    const { signals: { onFull }, watch } = this.keeper
    if (exchange.isOwn) return
    const took = watch.now() - exchange.sentAt
    onFull?.({ said: `status ${exchange.status}`, took, retryAfter: RetryAfter.asked(exchange, watch.date()) })
  }

  readonly break = (cause: unknown): void => {
    if (this.isBroken || this.isEnded) return
    this.isBroken = true
    this.keeper.signals.onBroken(cause)
  }

  /** It ended, or is about to, as HTTP provides for: nothing is wrong with the others. */
  readonly end = (): void => {
    if (this.isEnded || this.isBroken) return
    this.isEnded = true
    this.keeper.keepAlive.delete(this)
    this.keeper.signals.onEnded()
  }

  private quiet(): void {
    const { onQuiet } = this
    this.onQuiet = undefined
    onQuiet?.()
  }

  /** Takes note of how long the server keeps the connection. It says the same each time, so most of the time that is known. */
  private heed({ headers }: Exchange): void {
    const hint = headers["keep-alive"]
    if (hint !== this.hint) {
      this.hint = typeof hint === "string" ? hint : undefined
      this.keepAlive = KeepAlive.parse(this.hint, this.keeper.keepAliveMargin)
      if (this.keepAlive === 0) return this.end()
      if (this.keepAlive < Infinity) this.keeper.keepAlive.add(this)
      else this.keeper.keepAlive.delete(this)
    }
    if (this.keepAlive < Infinity) this.idleSince = this.keeper.keepAlive.now()
  }
}

/**
 * One caller's way through the upstreams of a balanced pool.
 */
import * as Effect from "effect/Effect"
import type { LeaseOptions, Onward } from "../model/connection.ts"
import type { Balancer } from "./balancer.ts"
import { choose } from "./choose.ts"
import type { Upstream, Waiting } from "./upstream.ts"

const none: ReadonlyArray<Upstream> = []

/** The failure that ends a caller's wait at an upstream when it is to go on. It never reaches the caller. */
const movedOn = Effect.fail(Symbol("moved on"))

type Recall = Parameters<Onward["waits"]>[0]

export class Trip implements Onward, Waiting {
  /** When it went to its first upstream. */
  askedAt = 0
  /** When it went to the one where it is. */
  since = 0
  /** Where it is: set from the moment it counts there until it no longer does. */
  upstream: Upstream | undefined = undefined
  /** Where it need not go again, and which of those it left without an answer. */
  tried: ReadonlyArray<Upstream> = none
  /** Whether the caller has its connection: from here on there is no other upstream for it. */
  isStarted = false
  /** Whether that connection is broken. */
  isBroken = false
  /** Whether it was taken out of the queue where it waited. */
  isMoving = false
  /** The words to an upstream's pool about the lease. */
  readonly options: LeaseOptions
  private readonly balancer: Balancer
  /** The way through another balanced pool, of which this one is an upstream. */
  private readonly outer: Onward | undefined
  private unanswered: ReadonlyArray<Upstream> = none
  private next: Upstream | undefined = undefined
  private recall: Recall | undefined = undefined

  constructor(balancer: Balancer, options: LeaseOptions | undefined) {
    this.balancer = balancer
    this.outer = options?.onward
    this.options = { ...options, onward: this }
  }

  /** How long the caller may be on its way: another balanced pool may give it less. */
  get limit(): number {
    return Math.min(this.balancer.config.acquireTimeout, this.outer?.left ?? Infinity)
  }

  get elsewhere(): number {
    return this.since - this.askedAt + (this.outer?.elsewhere ?? 0)
  }

  get left(): number {
    return this.limit - (this.since - this.askedAt)
  }

  /** Goes to an upstream, if there is one for it. */
  begin(): Upstream | undefined {
    this.since = this.balancer.time.now()
    this.balancer.inUse.openUnsafe()
    if (this.tried.length === 0) this.askedAt = this.since
    const upstream = this.whereTo()
    this.isMoving = false
    this.next = undefined
    this.upstream = upstream
    if (upstream !== undefined) upstream.inFlight++
    return upstream
  }

  /** It has its connection. */
  start(): void {
    this.isStarted = true
    this.stopWaiting()
  }

  /** Its stay at an upstream is over. */
  end(upstream: Upstream): void {
    this.stopWaiting()
    this.upstream = undefined
    upstream.inFlight--
  }

  /** The upstream gave it no connection. */
  refusedBy(upstream: Upstream): void {
    this.tried = [...this.tried, upstream]
    if (this.isMoving) this.unanswered = [...this.unanswered, upstream]
  }

  /** Whether there is an upstream that it has not tried. */
  get hasNext(): boolean {
    return this.unanswered.length > 0 || this.balancer.upstreams.some((upstream) => this.isNew(upstream))
  }

  waits(recall: Recall): void {
    this.recall = recall
    this.balancer.waits(this.upstream!, this)
    this.outer?.waits(recall)
  }

  mayLeave(): boolean {
    return (!this.balancer.isPausing &&
      this.balancer.upstreams.some((other) => other.isAvailable && this.mayTry(other))) ||
      this.outer?.mayLeave() === true
  }

  /** Whether the upstream is another than where it is, and new to it. */
  mayTry(upstream: Upstream): boolean {
    return upstream !== this.upstream && this.isNew(upstream)
  }

  moveOn(to: Upstream | undefined): void {
    this.isMoving = true
    this.next = to
    this.recall?.(movedOn)
  }

  broke(): void {
    this.isBroken = true
    this.outer?.broke()
  }

  private stopWaiting(): void {
    if (this.recall === undefined) return
    this.recall = undefined
    this.upstream?.waiting.delete(this)
  }

  private isNew(upstream: Upstream): boolean {
    return upstream.weight > 0 && !this.tried.includes(upstream)
  }

  private whereTo(): Upstream | undefined {
    if (this.next !== undefined && !this.next.isGone) return this.next
    const upstream = choose(this.balancer, this.tried, this.since)
    if (upstream !== undefined || this.unanswered.length === 0) return upstream
    // Nobody else had a connection for it: it goes back to where it might have got one.
    this.tried = this.tried.filter((tried) => !this.unanswered.includes(tried))
    this.unanswered = none
    return choose(this.balancer, this.tried, this.since)
  }
}

/**
 * The state of a balanced pool: its upstreams, its rules, and which upstream is in or out. Read and written
 * synchronously, like the state of a pool.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Random from "effect/Random"
import type { Outcome } from "../model/balanced.ts"
import type { ConnectionPool } from "../model/pool.ts"
import type { PoolConfig } from "../model/config.ts"
import type { EjectReason, UpstreamEjected, UpstreamJoined, UpstreamLeft, UpstreamReturned } from "../../PoolEvent.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { EventHub } from "../watch/events.ts"
import type { PoolTime } from "../base/time.ts"
import { slots } from "./merge.ts"
import type { Settings } from "./options.ts"
import { Outlier } from "./outlier.ts"
import { Upstream, type Waiting } from "./upstream.ts"

type Untold<Event> = Omit<Event, "pool" | "at">
type Told = Untold<UpstreamEjected> | Untold<UpstreamReturned> | Untold<UpstreamJoined> | Untold<UpstreamLeft>

export class Balancer {
  /** Replaced whenever one joins or leaves. */
  upstreams: ReadonlyArray<Upstream> = []
  /** That of all upstreams together. */
  config: PoolConfig
  /** Whether the upstreams are being paused one after the other: callers wait where they are. */
  isPausing = false
  readonly settings: Settings
  readonly time: PoolTime
  readonly random: typeof Random.Random.Service
  readonly events: EventHub
  /** Starts work that ends with the balanced pool's scope. */
  readonly fork: (effect: Effect.Effect<unknown>) => void
  /** Sends callers that wait for long to where a connection is free. */
  watch: Effect.Effect<void> = Effect.void
  /** Closed while nobody uses the pool and all is well: nobody looks at the upstreams until a lease opens it. */
  readonly inUse: Latch.Latch = Latch.makeUnsafe(true)
  /** Told of each upstream that joins, and of the end with `undefined`. */
  private readonly onJoined = new Set<(upstream: Upstream | undefined) => void>()
  private isEnded = false
  /** The upstreams of the choice under way: one array for the life of the pool. */
  readonly candidates: Array<Upstream> = []
  private readonly merge: (pools: ReadonlyArray<PoolConfig>) => PoolConfig
  private isWatching = false
  private lastSlot = -1

  constructor(
    parts: Pick<Balancer, "config" | "settings" | "time" | "random" | "events" | "fork"> & {
      readonly merge: (pools: ReadonlyArray<PoolConfig>) => PoolConfig
    }
  ) {
    this.config = parts.config
    this.settings = parts.settings
    this.time = parts.time
    this.random = parts.random
    this.events = parts.events
    this.fork = parts.fork
    this.merge = parts.merge
  }

  /** How long a caller waits at an upstream before it is sent to another that is free, in milliseconds. */
  get patience(): number {
    return this.settings.hedgeAfter ?? Math.min(250, this.config.acquireTimeout / 10)
  }

  /** How many upstreams are available. */
  get available(): number {
    let available = 0
    for (const upstream of this.upstreams) if (upstream.isAvailable) available++
    return available
  }

  /** Whether so few upstreams are available that ejection is ignored. */
  get isPanicking(): boolean {
    return this.available < this.settings.panicThreshold * this.upstreams.length
  }

  /** Adds an upstream, which has been checked. */
  add(pool: ConnectionPool<any>, weight: number): Upstream {
    const upstream = new Upstream(this.nextSlot(), pool, weight, new Outlier(this.settings))
    this.replace([...this.upstreams, upstream])
    return upstream
  }

  /** Adds an upstream while the others are in use. Its caches are cold, as those of one that comes back. */
  join(pool: ConnectionPool<any>, weight: number): Upstream {
    const upstream = this.add(pool, weight)
    upstream.comeBack(this.time.now())
    for (const tell of this.onJoined) tell(upstream)
    this.tell({ _tag: "UpstreamJoined", upstream: pool.name, weight })
    return upstream
  }

  /** Takes an upstream out. Leases that have begun there end there; callers that wait go on, if they can. */
  leave(upstream: Upstream): void {
    if (upstream.isGone) return
    upstream.isGone = true
    this.replace(this.upstreams.filter((other) => other !== upstream))
    this.tell({ _tag: "UpstreamLeft", upstream: upstream.pool.name })
    this.sendOn(upstream)
  }

  /** Ends the streams of events. */
  end(): void {
    this.isEnded = true
    this.events.end()
    for (const tell of this.onJoined) tell(undefined)
  }

  /** Tells of the upstreams there are, of each that joins, and of the end, until the function is taken back. */
  tellMembers(tell: (upstream: Upstream | undefined) => void): void {
    for (const upstream of this.upstreams) tell(upstream)
    if (this.isEnded) tell(undefined)
    this.onJoined.add(tell)
  }

  /** Takes `tellMembers` back. */
  stopTelling(tell: (upstream: Upstream | undefined) => void): void {
    this.onJoined.delete(tell)
  }

  /** Takes in that a caller waits at an upstream. */
  waits(upstream: Upstream, caller: Waiting): void {
    upstream.waiting.add(caller)
    if (this.isWatching) return
    this.isWatching = true
    this.fork(Effect.ensuring(
      this.watch,
      Effect.sync(() => {
        this.isWatching = false
      })
    ))
  }

  /** Takes in how a lease ended. */
  record(upstream: Upstream, outcome: Outcome, since: number, now: number): void {
    if (outcome === "ignore" || !this.settings.ejects || upstream.isGone) return
    const because = upstream.outlier.record(outcome === "failure", since, now)
    if (because !== undefined) this.eject(upstream, because, now)
  }

  /**
   * Takes in that an upstream can't connect. All who wait there fail together, and that is one failure: whoever fails
   * afterwards was sent there too early to know.
   */
  failing(upstream: Upstream, now: number): void {
    if (!upstream.fails()) return
    this.record(upstream, "failure", now, now)
    this.sendOn(upstream)
  }

  /** Takes in that callers wait for an upstream's dials longer than they should. */
  stalled(upstream: Upstream): void {
    if (!upstream.stalls()) return
    if (!upstream.isShut && !upstream.isProbed) this.probe(upstream)
  }

  /** Lets an ejected upstream back in when its time is up. */
  refresh(upstream: Upstream, now: number): void {
    if (!upstream.outlier.isBack(now)) return
    if (upstream.isAvailable) upstream.comeBack(now)
    this.tell({ _tag: "UpstreamReturned", upstream: upstream.pool.name })
  }

  /** Takes in what the numbers of an upstream's pool say, and has it probed if nobody else would find out. */
  see(upstream: Upstream, stats: PoolStats): void {
    const now = this.time.now()
    this.refresh(upstream, now)
    const wasFit = upstream.isFit
    if (upstream.see(stats, now, this.patience)) this.failing(upstream, now)
    if (upstream.isFit && !wasFit) upstream.comeBack(now)
    if (!upstream.isFit) this.inUse.openUnsafe()
    if (upstream.isFailing && !upstream.isShut && !upstream.isProbed) this.probe(upstream)
  }

  /** Looks at the upstreams' pools every so many milliseconds, as long as somebody might want to know. */
  watchPools(millis: number): Effect.Effect<never> {
    return Effect.forever(Effect.suspend(() => {
      if (!this.isAtRest) return Effect.andThen(Effect.sleep(millis), this.look)
      this.inUse.closeUnsafe()
      return Effect.andThen(this.inUse.await, this.look)
    }))
  }

  private get isAtRest(): boolean {
    return this.upstreams.every((upstream) => upstream.inFlight === 0 && upstream.isFit && !upstream.isStalled)
  }

  /** Looks at every upstream's pool. */
  readonly look: Effect.Effect<ReadonlyArray<PoolStats>> = Effect.suspend(() =>
    Effect.forEach(this.upstreams, (upstream) => this.lookAt(upstream))
  )

  /**
   * Opens a connection of an upstream's pool. One without a minimum dials only for callers, and none is sent where none
   * is served: this is its caller. The pool's own pace and breaker keep it from storming the backend.
   */
  probe(upstream: Upstream): void {
    upstream.isProbed = true
    this.fork(
      upstream.pool.warmUp(upstream.oneMore).pipe(
        Effect.andThen(this.lookAt(upstream)),
        Effect.ignore,
        Effect.ensuring(Effect.sync(() => void (upstream.isProbed = false)))
      )
    )
  }

  private lookAt(upstream: Upstream): Effect.Effect<PoolStats> {
    return Effect.tap(upstream.pool.stats, (stats) => Effect.sync(() => this.see(upstream, stats)))
  }

  /** Sends callers from an upstream that can't serve them to others. */
  private sendOn(upstream: Upstream): void {
    for (const caller of Array.from(upstream.waiting)) if (caller.mayLeave()) caller.moveOn(undefined)
  }

  private replace(upstreams: ReadonlyArray<Upstream>): void {
    this.upstreams = upstreams
    // Without an upstream it stays as it was, as nobody is lent anything.
    if (upstreams.length > 0) this.config = this.merge(upstreams.map(({ pool }) => pool.config))
  }

  /** Numbers are given in turn, so that one that is free again is not soon taken for its former owner. */
  private nextSlot(): number {
    const taken = new Set(this.upstreams.map(({ slot }) => slot))
    do this.lastSlot = (this.lastSlot + 1) % slots
    while (taken.has(this.lastSlot))
    return this.lastSlot
  }

  private eject(upstream: Upstream, because: EjectReason, now: number): void {
    let ejected = 0
    for (const other of this.upstreams) {
      this.refresh(other, now)
      if (other.outlier.isEjected) ejected++
    }
    if (ejected >= this.maxEjected) return
    const forMillis = upstream.outlier.eject(because, now)
    this.tell({ _tag: "UpstreamEjected", upstream: upstream.pool.name, because, forMillis })
    const log = `upstream ${upstream.pool.name} is ejected for ${Math.round(forMillis)} ms (${because})`
    this.fork(Effect.annotateLogs(Effect.logWarning(log), { pool: this.config.name }))
  }

  private get maxEjected(): number {
    const many = this.upstreams.length
    // One of two or more may always go, or ejection would silently do nothing for a few upstreams.
    return many < 2 ? 0 : Math.max(1, Math.floor(many * this.settings.maxEjectedShare))
  }

  private tell(event: Told): void {
    this.events.publish({ pool: this.config.name, at: this.time.date(), ...event })
  }
}

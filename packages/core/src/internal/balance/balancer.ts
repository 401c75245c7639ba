/**
 * What a balanced pool knows: its upstreams, its rules, and which upstream is in or out. Read and written synchronously,
 * like the state of a pool.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Random from "effect/Random"
import type { Outcome } from "../../BalancedPool.ts"
import type { PoolConfig } from "../../PoolConfig.ts"
import type { EjectReason, UpstreamEjected, UpstreamReturned } from "../../PoolEvent.ts"
import type { PoolStats } from "../../PoolStats.ts"
import type { EventHub } from "../watch/events.ts"
import type { PoolTime } from "../base/time.ts"
import type { Settings } from "./options.ts"
import type { Upstream } from "./upstream.ts"

type Told = Omit<UpstreamEjected, "pool" | "at"> | Omit<UpstreamReturned, "pool" | "at">

export class Balancer {
  readonly upstreams: ReadonlyArray<Upstream>
  readonly settings: Settings
  readonly config: PoolConfig
  readonly time: PoolTime
  readonly random: typeof Random.Random.Service
  readonly events: EventHub
  /** Starts work that ends with the balanced pool's scope. */
  readonly fork: (effect: Effect.Effect<unknown>) => void
  /** The upstreams of the choice under way: one array for the life of the pool. */
  readonly candidates: Array<Upstream> = []
  private readonly maxEjected: number

  constructor(parts: Pick<Balancer, "upstreams" | "settings" | "config" | "time" | "random" | "events" | "fork">) {
    this.upstreams = parts.upstreams
    this.settings = parts.settings
    this.config = parts.config
    this.time = parts.time
    this.random = parts.random
    this.events = parts.events
    this.fork = parts.fork
    const many = this.upstreams.length
    // One of two or more may always go, or ejection would silently do nothing for a few upstreams.
    this.maxEjected = many < 2 ? 0 : Math.max(1, Math.floor(many * this.settings.maxEjectedShare))
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

  /** Takes in how a lease ended. */
  record(upstream: Upstream, outcome: Outcome, since: number, now: number): void {
    if (outcome === "ignore" || !this.settings.ejects) return
    const because = upstream.outlier.record(outcome === "failure", since, now)
    if (because !== undefined) this.eject(upstream, because, now)
  }

  /**
   * Takes in that an upstream can't connect. All who wait there fail together, and that is one failure: whoever fails
   * afterwards was sent there too early to know.
   */
  failing(upstream: Upstream, now: number): void {
    if (upstream.isFailing) return
    upstream.isFailing = true
    this.record(upstream, "failure", now, now)
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
    const wasAvailable = upstream.isAvailable
    if (upstream.see(stats)) this.failing(upstream, now)
    if (upstream.isAvailable && !wasAvailable) upstream.comeBack(now)
    if (upstream.isFailing && !upstream.isShut && !upstream.isProbed) this.probe(upstream)
  }

  /** Looks at every upstream's pool. */
  readonly look: Effect.Effect<ReadonlyArray<PoolStats>> = Effect.suspend(() =>
    Effect.forEach(this.upstreams, (upstream) => this.lookAt(upstream))
  )

  private lookAt(upstream: Upstream): Effect.Effect<PoolStats> {
    return Effect.tap(upstream.pool.stats, (stats) => Effect.sync(() => this.see(upstream, stats)))
  }

  /**
   * A pool without a minimum dials only for callers, and none is sent there: this is its caller. The pool's own pace and
   * breaker keep it from storming the backend.
   */
  private probe(upstream: Upstream): void {
    upstream.isProbed = true
    this.fork(
      upstream.pool.warmUp(1).pipe(
        Effect.andThen(this.lookAt(upstream)),
        Effect.ignore,
        Effect.ensuring(Effect.sync(() => void (upstream.isProbed = false)))
      )
    )
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
    this.fork(this.reportEjection(upstream, because, forMillis))
  }

  private reportEjection(upstream: Upstream, because: EjectReason, forMillis: number): Effect.Effect<void> {
    const { name } = upstream.pool
    const log = Effect.logWarning(`upstream ${name} is ejected for ${Math.round(forMillis)} ms (${because})`)
    const counter = Metric.counter(`${this.config.kind}_pool_ejections_total`, {
      description: "Ejections of upstreams",
      attributes: { pool: this.config.name, upstream: name },
      incremental: true
    })
    return Effect.annotateLogs(log, { pool: this.config.name }).pipe(
      Effect.andThen(this.config.metrics ? Metric.update(counter, 1) : Effect.void)
    )
  }

  private tell(event: Told): void {
    this.events.publish({ pool: this.config.name, at: this.time.date(), ...event })
  }
}

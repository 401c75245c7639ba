/**
 * The state of a cluster as it is known: its servers, which of them is the primary, and how far the others are behind.
 *
 * Written by the probes alone. Time is that of one clock: a replica's lag is the age of the oldest place of the primary that
 * it has not reached, so a primary on which nothing happens has replicas without lag.
 */
import type { LeaseOptions } from "@effect-pools/core/ConnectionPool"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type { LentConnection } from "../lent.ts"
import { maxLagOf } from "./degraded.ts"
import type { Node, Sample } from "./node.ts"
import type { Position } from "./position.ts"
import type { Prober } from "./probe.ts"
import type { ClusterSettings } from "./settings.ts"
import { View } from "./session.ts"

export interface Place {
  readonly node: Node
  readonly prober: Prober
}

type WithPrimary = <A, E, R>(
  f: (lease: LentConnection) => Effect.Effect<A, E, R>,
  options: LeaseOptions
) => Effect.Effect<A, E | PoolError, R>

/** The least between two probes of a replica that reads wait for, in milliseconds. */
const pause = 3

export class Cluster {
  readonly name: string
  readonly settings: ClusterSettings
  readonly now: () => number
  private readonly date: () => number
  places: ReadonlyArray<Place> = []
  primary: Node | undefined = undefined
  /** Why there is no primary. */
  why = "no server has answered yet"
  systemId: string | undefined = undefined
  /** The latest timeline that a primary was seen in, and where that one stood first. */
  timeline = 0
  private first = 0
  /** Open while there is a primary. */
  readonly hasPrimary: Latch.Latch = Latch.makeUnsafe(false)
  /** That of callers without a session. */
  readonly common = new View(false)
  /** Reads on the primary for want of a replica. */
  onPrimary = 0
  /** How often another server took the writes, or none did. */
  changes = 0
  /** The primary before that of now, and since when there is this one, or none: milliseconds since the epoch. */
  before: Node | undefined = undefined
  changedAt: number
  /** Told when another server takes the writes, or none does. */
  onPrimaryChanged: (from: Node | undefined, to: Node | undefined) => void = () => {}
  /** Lends a connection of the primary. */
  withPrimary: WithPrimary = () => Effect.die(new Error("a cluster without pools"))
  onForeign: (node: Node) => void = () => {}
  /** Looks of reads that wait for a replica to come as far as they must see: true ends the wait. */
  private readonly waiting = new Set<() => boolean>()
  /** Places of the primary, the oldest first. */
  private samples: Array<{ readonly at: number } & Position> = []

  constructor(name: string, settings: ClusterSettings, clock: Pick<Cluster, "now"> & { readonly date: () => number }) {
    this.name = name
    this.settings = settings
    this.now = clock.now
    this.date = clock.date
    this.changedAt = this.date()
  }

  get nodes(): ReadonlyArray<Node> {
    return this.places.map(({ node }) => node)
  }

  proberOf(node: Node): Prober {
    return this.places.find((place) => place.node === node)!.prober
  }

  /** How long until a server is asked again. */
  intervalOf(node: Node): number {
    const { probeInterval } = this.settings
    const isUrgent = this.primary === undefined || this.primary.failures > 0
    // Whether a server is lost is found out soon, so that nobody goes on waiting there.
    if (isUrgent || (node.failures > 0 && !node.isLost)) return probeInterval / 10
    if (this.waiting.size === 0 || !node.isIn) return probeInterval
    // One that is far behind need not be asked as often as one that is nearly there.
    return Math.min(probeInterval, Math.max(pause, (node.lag ?? 0) / 10))
  }

  /** Has a read look whenever a replica has come further, until it is content or the function is called. */
  wait(look: () => boolean): () => void {
    const isFirst = this.waiting.size === 0
    this.waiting.add(look)
    if (isFirst) { for (const { node, prober } of this.places) if (node.isIn) prober.nudge() }
    return () => void this.waiting.delete(look)
  }

  private lookAgain(): void {
    for (const look of this.waiting) if (look()) this.waiting.delete(look)
  }

  /** Has all servers asked. */
  readonly askAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.places, ({ prober }) => prober.fresh, { concurrency: "unbounded", discard: true })
  )

  /** Takes in what a probe has found out. */
  take(node: Node, exit: Exit.Exit<Sample, unknown>): void {
    const { isIn, sample } = node
    this.learn(node, exit)
    if (node.isIn !== isIn || node.sample?.lsn !== sample?.lsn || node === this.primary) this.lookAgain()
  }

  private learn(node: Node, exit: Exit.Exit<Sample, unknown>): void {
    if (Exit.isFailure(exit)) {
      node.failures++
      node.lastError = exit.cause.reasons[0]
      if (node.isLost) node.lose(`${node.name} has not answered ${node.failures} probes in a row`)
      // The server that takes over is to be found at once.
      if (node === this.primary && node.failures === 1) { for (const { prober } of this.places) prober.nudge() }
      return
    }
    const sample = exit.value
    node.failures = 0
    node.sample = sample
    if (this.isOfAnother(node, sample)) return
    this.elect()
    if (node === this.primary) this.record(sample)
    else this.judge(node, sample)
  }

  private isOfAnother(node: Node, { systemId }: Sample): boolean {
    this.systemId ??= systemId
    const isForeign = systemId !== this.systemId
    if (isForeign && !node.isForeign) this.onForeign(node)
    node.isForeign = isForeign
    if (isForeign) {
      node.lose(`${node.name} belongs to another cluster`)
      if (node === this.primary) this.lead(undefined, `${node.name} belongs to another cluster now`)
    }
    return isForeign
  }

  private elect(): void {
    const claiming = this.nodes.filter(({ failures, isForeign, sample }) =>
      failures === 0 && !isForeign && sample?.isStandby === false
    )
    const latest = Math.max(this.timeline, ...claiming.map(({ sample }) => sample!.timeline))
    const leaders = claiming.filter(({ sample }) => sample!.timeline === latest)
    if (leaders.length === 1) return this.lead(leaders[0], "")
    if (leaders.length > 1) {
      const names = leaders.map(({ name }) => name).join(" and ")
      return this.lead(undefined, `${names} both say that they are the primary of timeline ${latest}`)
    }
    // One that does not answer may still do so to its pool; one that says it is none, or that another one came after, is out.
    if (this.primary === undefined || this.primary.failures > 0) return
    this.lead(undefined, "no server says that it is the primary")
  }

  private lead(node: Node | undefined, why: string): void {
    this.why = why
    const before = this.primary
    if (node === before) return
    const isFirst = before === undefined && this.before === undefined
    this.primary = node
    if (before !== undefined) this.before = before
    this.changedAt = this.date()
    if (!isFirst) this.changes++
    if (node === undefined) this.hasPrimary.closeUnsafe()
    else {
      node.leave()
      node.lag = undefined
      if (node.sample!.timeline > this.timeline) this.begin(node, node.sample!)
      this.hasPrimary.openUnsafe()
    }
    this.onPrimaryChanged(before, node)
  }

  /**
   * A server that has not gone on since is not known to follow. The first timeline that is seen is taken for
   * everybody's.
   */
  private begin(leader: Node, { lsn, timeline }: Sample): void {
    const isFirst = this.timeline === 0
    this.timeline = timeline
    this.first = lsn
    this.samples = []
    for (const { node } of this.places) {
      node.base = isFirst || node === leader ? undefined : node.sample?.lsn ?? 0
      if (!this.follows(node)) node.leave()
    }
  }

  private record({ at, lsn, timeline }: Sample): void {
    const last = this.samples.at(-1)
    // A position that has not changed is as old as when it was first seen.
    if (last?.lsn === lsn) return
    this.samples.push({ at, lsn, timeline })
    const oldest = at - 4 * this.settings.maxLag
    while (this.samples.length > 2 && (this.samples[1]!.at < oldest || this.samples.length > 10_000)) {
      this.samples.shift()
    }
  }

  private judge(node: Node, sample: Sample): void {
    if (!sample.isStandby) return node.leave()
    node.lag = this.lagOf(node)
    const maxLag = maxLagOf(this.places, this.settings)
    if (!this.follows(node) || (node.lag ?? 0) > maxLag) node.leave()
    else if ((node.lag ?? 0) <= maxLag / 2) node.isIn = true
  }

  /**
   * Whether a replica is known to follow the primary of today. A standby tells its own timeline at once only to a role with
   * `pg_read_all_stats`, to others minutes later; but one that has gone on since the timeline began follows whoever
   * writes it.
   */
  follows(node: Node): boolean {
    if (node.base === undefined) return true
    const { base, sample } = node
    if (sample === undefined) return false
    if (sample.timeline < this.timeline && !(sample.lsn > base && sample.lsn >= this.first)) return false
    node.base = undefined
    return true
  }

  /** Milliseconds that a replica is behind just now. */
  lagOf({ sample }: Node): number | undefined {
    if (sample === undefined || this.samples.length === 0) return undefined
    const missing = this.samples.find(({ lsn }) => lsn > sample.lsn)
    return missing === undefined ? 0 : Math.max(0, this.now() - missing.at)
  }
}

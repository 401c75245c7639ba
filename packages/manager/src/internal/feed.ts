/**
 * The stream of server-sent events: written once for all clients, each with a buffer of its own that is bounded in
 * bytes. Nobody waits for a client: one that does not read is cut. The latest events are kept for who comes later.
 */
import type { PoolEvent } from "@effect-pools/core/PoolEvent"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Manager } from "../Manager.ts"
import type { Acted, Message } from "../MonitoringApi.ts"
import type { ManagedPool } from "./managedPool.ts"
import * as View from "./view.ts"

export interface FeedOptions {
  /** ms */
  readonly heartbeat: number
  /** Clients at once. */
  readonly streams: number
  /** Bytes that a client may lag behind. */
  readonly streamBuffer: number
  readonly actions: boolean
}

export interface Subscription {
  readonly lastEventId: string | undefined
  /** How many of the latest events are sent to a client without a `lastEventId`. */
  readonly last: number
  readonly leases: boolean
}

/** How many events are kept for clients that come back, or come late. */
export const kept = 1000

interface Frame {
  readonly sequence: number
  readonly text: string
}

class Client {
  readonly queue: Queue.Queue<string, Cause.Done>
  readonly leases: boolean
  private readonly limit: number
  private readonly cut: () => void
  private buffered = 0

  constructor(queue: Queue.Queue<string, Cause.Done>, leases: boolean, limit: number, cut: () => void) {
    this.queue = queue
    this.leases = leases
    this.limit = limit
    this.cut = cut
  }

  /** Cuts the client instead if it has not read what it was sent. One frame always fits. */
  send(text: string): void {
    if (this.buffered > 0 && this.buffered + text.length > this.limit) return this.cut()
    this.buffered += text.length
    Queue.offerUnsafe(this.queue, text)
  }

  readonly stream: Stream.Stream<Uint8Array> = Stream.suspend(() =>
    Stream.fromQueue(this.queue).pipe(
      Stream.tap((text) =>
        Effect.sync(() => {
          this.buffered -= text.length
        })
      ),
      Stream.encodeText
    )
  )
}

export class Feed {
  readonly instance: string
  private readonly manager: Manager
  private readonly options: FeedOptions
  private readonly clients = new Set<Client>()
  private readonly ring: Array<Frame> = []
  private sequence = 0
  private isEnded = false
  /** Listening to leases costs each of them some microseconds: it lasts while a client wants them. */
  private listeningToLeases: RcRef.RcRef<void> | undefined

  private constructor(manager: Manager, options: FeedOptions, instance: string) {
    this.manager = manager
    this.options = options
    this.instance = instance
  }

  static make(manager: Manager, options: FeedOptions): Effect.Effect<Feed, never, Scope.Scope> {
    return Effect.gen(function*() {
      const instance = (yield* Random.nextIntBetween(0, 2 ** 48)).toString(36)
      const feed = new Feed(manager, options, instance)
      yield* feed.listen
      feed.listeningToLeases = yield* RcRef.make({ acquire: feed.listenToLeases })
      yield* Effect.addFinalizer(() => Effect.sync(() => feed.end()))
      return feed
    })
  }

  get isFull(): boolean {
    return this.clients.size >= this.options.streams
  }

  /** Joins until the scope closes. The fiber of the caller is interrupted when the client must be cut. */
  readonly join = Effect.fnUntraced({ self: this }, function*(
    subscription: Subscription
  ): Effect.fn.Return<Stream.Stream<Uint8Array>, never, Scope.Scope> {
    const fiber = yield* Effect.withFiber(Effect.succeed)
    const queue = yield* Queue.unbounded<string, Cause.Done>()
    const client: Client = new Client(queue, subscription.leases, this.options.streamBuffer, () => {
      this.clients.delete(client)
      fiber.interruptUnsafe()
    })
    const { heartbeat } = this.options
    client.send(frameOf({
      _tag: "Hello",
      at: yield* Clock.currentTimeMillis,
      instance: this.instance,
      actions: this.options.actions,
      heartbeat,
      sampleInterval: this.manager.sampleInterval
    }))
    if (this.listeningToLeases !== undefined && subscription.leases) yield* RcRef.get(this.listeningToLeases)
    const at = yield* Clock.currentTimeMillis
    // In one step, so that nothing is sent twice or left out.
    const enter = Effect.sync(() => {
      for (const text of this.before(subscription, at)) client.send(text)
      if (this.isEnded) Queue.endUnsafe(queue)
      else this.clients.add(client)
    })
    yield* Effect.acquireRelease(enter, () => Effect.sync(() => this.clients.delete(client)))
    return client.stream
  })

  /** The events from before a client came that it is sent. */
  private before({ last, lastEventId }: Subscription, at: number): ReadonlyArray<string> {
    return lastEventId === undefined ? this.latest(last) : this.missed(lastEventId, at)
  }

  /** As many as its buffer bears. */
  private latest(count: number): ReadonlyArray<string> {
    let room = this.options.streamBuffer / 2
    const texts = this.ring.slice(Math.max(0, this.ring.length - count)).map(({ text }) => text)
    const tooOld = texts.findLastIndex((text) => (room -= text.length) < 0)
    return texts.slice(tooOld + 1)
  }

  private missed(lastEventId: string, at: number): ReadonlyArray<string> {
    const [instance, last] = lastEventId.split(".")
    const since = Number(last)
    const first = this.ring[0]?.sequence ?? this.sequence + 1
    const isKnown = instance === this.instance && Number.isInteger(since) && since >= first - 1 &&
      since <= this.sequence
    const missed = isKnown ? this.ring.filter(({ sequence }) => sequence > since).map(({ text }) => text) : []
    // More than its buffer holds would cut it, and again each time it comes back for the same.
    const fits = missed.reduce((size, text) => size + text.length, 0) <= this.options.streamBuffer / 2
    return isKnown && fits ? missed : [frameOf({ _tag: "Gap", at })]
  }

  private readonly listen: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this }, function*() {
    const { alertChanges, samples } = this.manager
    yield* this.ofEachPool(
      (pool) => pool.eventsWith({ leases: false }),
      (event) => this.publish({ _tag: "Happened", event: View.event(event) })
    )
    yield* run(alertChanges, (change) => this.publish(change))
    yield* run(samples, (round) => {
      if (this.clients.size > 0) this.broadcast(frameOf({ _tag: "Sampled", ...round }))
    })
    yield* run(Stream.fromSchedule(Schedule.spaced(this.options.heartbeat)), () => this.broadcast(": still here\n\n"))
  })

  private readonly listenToLeases: Effect.Effect<unknown, never, Scope.Scope> = Effect.suspend(() =>
    this.ofEachPool(({ events }) => events, (event) => this.leased(event))
  )

  /** Listens to each pool by itself, so that one where much happens holds up no other; to those that join as well. */
  private ofEachPool(
    of: (pool: ManagedPool) => Stream.Stream<PoolEvent>,
    f: (event: PoolEvent) => void
  ): Effect.Effect<unknown, never, Scope.Scope> {
    const known = new WeakSet<ManagedPool>()
    const listen = (pool: ManagedPool): Effect.Effect<unknown, never, Scope.Scope> => {
      if (known.has(pool)) return Effect.void
      known.add(pool)
      return run(of(pool), f)
    }
    return Effect.andThen(
      Effect.forkScoped(Stream.runForEach(this.manager.joins, listen), { startImmediately: true }),
      Effect.forEach(this.manager.pools, listen, { discard: true })
    )
  }

  /** There may be very many: they are sent to those who want them, and not kept. */
  private leased(event: PoolEvent): void {
    if (event._tag !== "Acquired" && event._tag !== "Released") return
    const text = frameOf({ _tag: "Happened", event: View.event(event) })
    for (const client of this.clients) if (client.leases) client.send(text)
  }

  /** Publishes actions as they are carried out, with the time. */
  readonly auditor: Effect.Effect<(deed: Omit<Acted, "_tag" | "at">) => void> = Effect.map(
    Clock.Clock,
    (clock) => (deed) => this.publish({ _tag: "Acted", at: clock.currentTimeMillisUnsafe(), ...deed })
  )

  private publish(message: Message): void {
    const text = frameOf(message, `${this.instance}.${++this.sequence}`)
    this.ring.push({ sequence: this.sequence, text })
    if (this.ring.length > kept) this.ring.shift()
    this.broadcast(text)
  }

  private broadcast(text: string): void {
    for (const client of this.clients) client.send(text)
  }

  /** Ends every stream, and those of clients that come back, so that none holds up the end of the server. */
  end(): void {
    this.isEnded = true
    for (const client of this.clients) Queue.endUnsafe(client.queue)
    this.clients.clear()
  }
}

const run = <A>(stream: Stream.Stream<A>, f: (value: A) => void): Effect.Effect<unknown, never, Scope.Scope> =>
  Effect.forkScoped(
    Stream.runForEachArray(stream, (values) => Effect.sync(() => values.forEach(f))),
    { startImmediately: true }
  )

// JSON has no line breaks of its own, so a message is one line whatever is in it.
const frameOf = (message: Message, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${message._tag}\ndata: ${JSON.stringify(message)}\n\n`

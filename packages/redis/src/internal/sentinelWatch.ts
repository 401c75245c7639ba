/**
 * Follows what the sentinels say about the primary, for as long as the pool has a connection.
 *
 * A failover that the old primary does not hear of, since the network is cut between it and the sentinels, changes nothing
 * for those who are connected to it: it goes on to accept writes, which are lost when the network is whole again. So the
 * pool has the news from the sentinels themselves: it listens to each of them, and asks each of them now and then.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../RedisError.ts"
import * as Fault from "./fault.ts"
import * as Sentinel from "./sentinel.ts"
import { type Address, addressText, type ConnectionSettings, isSameAddress } from "./settings.ts"

/** A connection that was made by the word of the sentinels. */
interface Watched extends Sentinel.Located {
  /** The sentinels name another server by now. */
  readonly move: (cause: Error) => void
}

export class SentinelWatch {
  private readonly settings: ConnectionSettings
  private readonly topology: Sentinel.SentinelTopology
  private readonly watched = new Set<Watched>()
  /** The latest word of each sentinel that can be heard. */
  private readonly votes = new Map<string, Sentinel.Vote>()
  /** The last decision, and its time. */
  private decided: { readonly vote: Sentinel.Vote; readonly at: number } | undefined
  private following: Fiber.Fiber<unknown> | undefined

  constructor(settings: ConnectionSettings, topology: Sentinel.SentinelTopology) {
    this.settings = settings
    this.topology = topology
  }

  /** Watches over a connection until its scope closes. */
  join(watched: Watched): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.map(Effect.context<never>(), (context) => {
        this.watched.add(watched)
        this.following ??= Effect.runForkWith(context)(this.follow)
      }),
      () =>
        Effect.suspend(() => {
          this.watched.delete(watched)
          const { following } = this
          if (following === undefined || this.watched.size > 0) return Effect.void
          this.following = undefined
          return Fiber.interrupt(following)
        })
    )
  }

  private readonly follow = Effect.suspend(() =>
    Effect.forEach(this.topology.nodes, (node) => this.followOne(node), { concurrency: "unbounded", discard: true })
  )

  /** Hears one sentinel, again and again. */
  private followOne(node: Address): Effect.Effect<never> {
    let isHeard = true
    const lost = (error: RedisError) =>
      Effect.suspend(() => {
        this.votes.delete(addressText(node))
        if (!isHeard) return Effect.void
        isHeard = false
        return Effect.logWarning(`a sentinel can't be heard any more, others are: ${error.message}`)
      })
    const heard = () => {
      isHeard = true
    }
    return Effect.scoped(this.hear(node, heard)).pipe(
      Effect.catch(lost),
      Effect.andThen(Effect.sleep(this.topology.checkInterval)),
      Effect.forever,
      Effect.ensuring(Effect.sync(() => this.votes.delete(addressText(node))))
    )
  }

  private readonly hear = Effect.fnUntraced(
    { self: this },
    function*(
      this: SentinelWatch,
      address: Address,
      heard: () => void
    ): Effect.fn.Return<never, RedisError, Scope.Scope> {
      const { settings, topology } = this
      const ended = Deferred.makeUnsafe<never, RedisError>()
      const fail = (error: unknown) => Fault.ofDial(addressText(address), error, true)
      const isNews = Latch.makeUnsafe(false)
      const node = yield* Sentinel.connect(settings, topology, address, (cause) => {
        Deferred.doneUnsafe(ended, Effect.fail(fail(cause)))
      }).pipe(inTime(address))
      node.redis.on("messageBuffer" as "close", () => isNews.openUnsafe())
      const call = (...command: readonly [string, ...Array<string>]) =>
        Effect.mapError(node.call(...command), fail).pipe(inTime(address))
      // First, so that no news comes between the answer and the ear.
      yield* call("SUBSCRIBE", "+switch-master")
      while (true) {
        isNews.closeUnsafe()
        const vote = yield* Effect.scoped(Sentinel.ask(settings, topology, address)).pipe(inTime(address))
        heard()
        if (vote === undefined) this.votes.delete(addressText(address))
        else this.votes.set(addressText(address), vote)
        this.decide(yield* Clock.currentTimeMillis)
        const rested = Effect.sleep(topology.checkInterval)
        yield* Effect.raceAllFirst([isNews.await, rested, Deferred.await(ended)])
        // A connection that is dead without a word would bring no news.
        yield* call("PING")
      }
    }
  )

  /**
   * Where a dial that was led somewhere should go: sentinels that have not heard of the failover yet, which all connections
   * have just been closed for, may have been the first to answer.
   */
  readonly correct = (located: Sentinel.Located): Effect.Effect<Sentinel.Located> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { decided } = this
      if (this.topology.role === "replica" || decided === undefined || now - decided.at > remembered) return located
      const { epoch, primary } = decided.vote
      return epoch > located.epoch ? { address: primary, epoch } : located
    })

  private decide(now: number): void {
    const votes = Array.from(this.votes.values())
    const best = Sentinel.pick(votes)
    if (best === undefined) return
    this.decided = { vote: best, at: now }
    for (const watched of Array.from(this.watched)) {
      if (this.topology.role === "replica") {
        if (!best.replicas.some((replica) => isSameAddress(replica, watched.address))) watched.move(notReplica)
      } else if (!isSameAddress(best.primary, watched.address) && this.isDecided(votes, best, watched)) {
        watched.move(new Error(`the sentinels name another primary by now, ${addressText(best.primary)}`))
      }
    }
  }

  /**
   * Whether those who say that the primary is elsewhere know better than those who led the connection there: one that was
   * away for a while knows less, until it has caught up.
   */
  private isDecided(votes: ReadonlyArray<Sentinel.Vote>, best: Sentinel.Vote, { epoch }: Watched): boolean {
    if (best.epoch > epoch) return true
    if (!votes.every(({ primary }) => isSameAddress(primary, best.primary))) return false
    // A primary that they were told anew begins with the first configuration again.
    return votes.length === this.topology.nodes.length ||
      (best.epoch === epoch && votes.length >= Sentinel.majorityOf(this.topology))
  }
}

/** Milliseconds in which the sentinels tell each other of a failover, many times over. */
const remembered = 10_000

const notReplica = new Error("the sentinels do not count it among the replicas that are well any more")

/** One that hangs is asked anew. */
const inTime = (address: Address) => <A, R>(effect: Effect.Effect<A, RedisError, R>): Effect.Effect<A, RedisError, R> =>
  TimeLimit.timeoutOrElse(effect, {
    duration: "2 seconds",
    orElse: () => Effect.fail(Fault.dialFailed(addressText(address), "the sentinel does not answer"))
  })

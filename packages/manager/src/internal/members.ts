/**
 * The managed pools: those that the manager was made with, and those that join and leave while the program runs.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import { type PoolKey, type PoolRef, UnknownPool } from "./poolKey.ts"
import type { ManagedPool } from "./managedPool.ts"
import { owner } from "./managerOptions.ts"
import { refuse } from "./optionRules.ts"

/** How many pools may join before a reader has taken notice of them; one that is slower than that misses some. */
const joinsBuffer = 4096

export class Members {
  private readonly byKey = new Map<string, ManagedPool>()
  private readonly byName = new Map<string, ManagedPool>()
  private current: ReadonlyArray<ManagedPool> = []
  private readonly joining: PubSub.PubSub<Take.Take<ManagedPool>>
  /** Those that join while it is run. */
  readonly joins: Stream.Stream<ManagedPool>

  private constructor(joining: PubSub.PubSub<Take.Take<ManagedPool>>) {
    this.joining = joining
    this.joins = Stream.fromPubSubTake(joining)
  }

  static make(keys: ReadonlyArray<PoolKey>): Effect.Effect<Members, PoolError, unknown> {
    return Effect.gen(function*() {
      const members = new Members(yield* PubSub.sliding<Take.Take<ManagedPool>>(joinsBuffer))
      for (const key of keys) {
        if (members.byKey.has(key.key)) return yield* refuse(owner, "pools", `names ${key.key} twice`)
        const pool = yield* key
        yield* members.join(pool)
        members.byKey.set(key.key, pool)
      }
      return members
    })
  }

  /** In the order in which they came. */
  get all(): ReadonlyArray<ManagedPool> {
    return this.current
  }

  readonly join = Effect.fnUntraced({ self: this }, function*(pool: ManagedPool): Effect.fn.Return<void, PoolError> {
    if (this.byName.has(pool.name)) {
      return yield* refuse(owner, "pools", `two pools are called ${JSON.stringify(pool.name)}: rename one of them`)
    }
    this.byName.set(pool.name, pool)
    this.current = [...this.current, pool]
    yield* PubSub.publish(this.joining, [pool])
  })

  leave(pool: ManagedPool): void {
    this.byName.delete(pool.name)
    this.current = this.current.filter((other) => other !== pool)
  }

  /** No pool will join any more. */
  readonly end: Effect.Effect<unknown> = Effect.suspend(() => PubSub.publish(this.joining, Exit.void))

  /** Only asked for keys that were checked to be among those it was made with. */
  ofKey({ key }: PoolKey): ManagedPool {
    return this.byKey.get(key)!
  }

  readonly get = (ref: PoolRef): Effect.Effect<ManagedPool, UnknownPool> => {
    const found = typeof ref === "string" ? this.byName.get(ref) : this.byKey.get(ref.key)
    if (found !== undefined) return Effect.succeed(found)
    const name = typeof ref === "string" ? ref : ref.key
    return Effect.fail(new UnknownPool({ pool: name, known: this.current.map(({ name }) => name) }))
  }

  /** All of them unless some are named. */
  readonly select = (refs?: ReadonlyArray<PoolRef>): Effect.Effect<ReadonlyArray<ManagedPool>, UnknownPool> =>
    refs === undefined ? Effect.succeed(this.current) : Effect.forEach(refs, this.get)

  /** The events of all pools: those of now, and each that joins while the stream runs. */
  streamOf<A>(of: (pool: ManagedPool) => Stream.Stream<A>): Stream.Stream<A> {
    return Stream.unwrap(Effect.gen({ self: this }, function*() {
      const joining = yield* PubSub.subscribe(this.joining)
      const later = Stream.flatMap(Stream.flattenTake(Stream.fromSubscription(joining)), of, {
        concurrency: "unbounded"
      })
      return Stream.mergeAll([...this.current.map(of), later], { concurrency: "unbounded" })
    }))
  }
}

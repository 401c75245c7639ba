/**
 * Keeps one connection for all subscribers of a pool, as long as there is any.
 *
 * The topics that are wanted and those that the server has confirmed are two sets, and one fiber makes the second like
 * the first: after each change, and from nothing after each loss of the connection. A subscription that has not begun
 * yet fails when no connection can be had; one that has begun waits until there is one again, and reports the gap.
 */
import { Backoff } from "@effect-pools/core/Backoff"
import type { PoolConfig } from "@effect-pools/core/PoolConfig"
import { PoolClosed, PoolError } from "@effect-pools/core/PoolError"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../RedisError.ts"
import type { Message } from "../RedisSubscription.ts"
import { Inbox } from "./inbox.ts"
import { Registry } from "./registry.ts"
import type { Topic } from "./topic.ts"

/** A connection that listens. */
export interface Line {
  /** Ends when the server has confirmed it. Fails if the server refuses it, and if it does not answer in time. */
  readonly subscribe: (topic: Topic) => Effect.Effect<void, RedisError>
  readonly unsubscribe: (topic: Topic) => Effect.Effect<void, RedisError>
  readonly ping: Effect.Effect<unknown, unknown>
  /** Ends when the connection has. */
  readonly lost: Effect.Effect<unknown>
}

/** The news of a line. */
export interface Listener {
  readonly onMessage: (topic: Topic, message: Message) => void
  /** The server serves a topic no more, though nobody asked it to. */
  readonly onDropped: (topic: Topic) => void
}

export type OpenLine = (listener: Listener) => Effect.Effect<Line, PoolError | RedisError, Scope.Scope>

export type SubscriberConfig = Pick<PoolConfig, "name" | "retry" | "healthCheck" | "validateTimeout">

/** The subscribers of a pool. */
export interface Subscriber {
  /** Until the scope closes. */
  readonly join: (
    topics: ReadonlyArray<Topic>,
    bufferSize: number,
    bufferBytes?: number
  ) => Effect.Effect<Inbox, never, Scope.Scope>
  /** Ends all subscriptions for good and gives the connection back: to be run before the pool drains or its scope closes. */
  readonly end: Effect.Effect<void>
}

export const make = Effect.fnUntraced(
  function*(config: SubscriberConfig, openLine: OpenLine): Effect.fn.Return<Subscriber, never, Scope.Scope> {
    const clock = yield* Clock.Clock
    const closed = Cause.fail(new PoolError({ pool: config.name, reason: new PoolClosed({ state: "draining" }) }))
    const keepers = new Set<Keeper>()
    let isEnded = false
    const ref = yield* RcRef.make({ acquire: startKeeper({ config, openLine, clock }, keepers) })
    const end = Effect.suspend(() => {
      isEnded = true
      return Effect.forEach(keepers, (keeper) => finish(keeper, closed), { discard: true })
    })
    // Whether its keeper serves is asked in the step that adds it: in between the fiber may give way to the end of either.
    const enter = (inbox: Inbox): Effect.Effect<void, never, Scope.Scope> =>
      Effect.suspend(() => {
        if (isEnded) return Effect.sync(() => inbox.fail(closed))
        return Effect.flatMap(RcRef.get(ref), (keeper) =>
          Effect.flatMap(
            register(keeper, inbox, () => !isEnded && !keeper.isOver),
            // One that has ended stays until its subscribers have read so: newcomers get another.
            (isIn) => isIn ? Effect.void : Effect.andThen(RcRef.invalidate(ref), enter(inbox))
          ))
      })
    return {
      end,
      join: (topics, bufferSize, bufferBytes) =>
        Effect.suspend(() => {
          const inbox = new Inbox(topics, bufferSize, bufferBytes)
          return Effect.as(enter(inbox), inbox)
        })
    }
  }
)

/** Serves subscribers from line after line, until the pool can't give any for good. */
interface Keeper {
  readonly config: SubscriberConfig
  readonly openLine: OpenLine
  readonly clock: Clock.Clock
  readonly registry: Registry
  readonly changed: Latch.Latch
  readonly ending: Latch.Latch
  /** Opens when its connection is given back and it will take none again. */
  readonly gone: Latch.Latch
  isOver: boolean
  /** When its line was last seen to be well: what was published since may be lost with it. */
  provenAt: number
}

const startKeeper = (
  setting: Pick<Keeper, "config" | "openLine" | "clock">,
  keepers: Set<Keeper>
): Effect.Effect<Keeper, never, Scope.Scope> =>
  Effect.gen(function*() {
    const keeper: Keeper = {
      ...setting,
      registry: new Registry(),
      changed: Latch.makeUnsafe(false),
      ending: Latch.makeUnsafe(false),
      gone: Latch.makeUnsafe(false),
      isOver: false,
      provenAt: 0
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => keepers.add(keeper)),
      () => Effect.sync(() => keepers.delete(keeper))
    )
    yield* Effect.forkScoped(
      Effect.ensuring(Effect.raceFirst(keeper.ending.await, keep(keeper)), Effect.sync(() => keeper.gone.openUnsafe()))
    )
    return keeper
  })

/** Adds a subscriber until its scope closes, if the keeper takes any. Tells whether it did. */
const register = (keeper: Keeper, inbox: Inbox, isOpen: () => boolean): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      if (!isOpen()) return false
      keeper.registry.add(inbox)
      keeper.changed.openUnsafe()
      return true
    }),
    () =>
      Effect.sync(() => {
        keeper.registry.remove(inbox)
        keeper.changed.openUnsafe()
      })
  )

const finish = (keeper: Keeper, cause: Cause.Cause<PoolError>): Effect.Effect<void> =>
  Effect.suspend(() => {
    over(keeper, cause)
    keeper.ending.openUnsafe()
    return keeper.gone.await
  })

const over = (keeper: Keeper, cause: Cause.Cause<PoolError | RedisError>): void => {
  keeper.isOver = true
  keeper.registry.failAll(cause)
}

/** A line that lived for so long was well: the next one is opened at once. */
const stableMillis = 1000

const keep = Effect.fnUntraced(function*(keeper: Keeper): Effect.fn.Return<void> {
  const { clock, config, registry } = keeper
  const backoff = new Backoff(config.retry)
  while (true) {
    const beginning = clock.currentTimeMillisUnsafe()
    const exit = yield* Effect.exit(Effect.scoped(serve(keeper)))
    registry.dropAll(keeper.provenAt)
    if (Exit.isFailure(exit)) {
      if (!isRetryable(exit.cause)) return over(keeper, exit.cause)
      registry.failBeginners(exit.cause)
    } else if (clock.currentTimeMillisUnsafe() - beginning >= stableMillis) {
      backoff.reset()
      continue
    }
    yield* Effect.sleep(yield* backoff.next(clock.currentTimeMillisUnsafe(), exit))
  }
})

const isRetryable = (cause: Cause.Cause<PoolError | RedisError>): boolean =>
  cause.reasons.every((reason) => Cause.isFailReason(reason) && reason.error.isRetryable)

/** One line, from its opening to its loss. */
const serve = Effect.fnUntraced(
  function*(keeper: Keeper): Effect.fn.Return<void, PoolError | RedisError, Scope.Scope> {
    const { clock, registry } = keeper
    const line = yield* keeper.openLine({
      onMessage: (topic, message) => registry.deliver(topic, message, prove(keeper)),
      onDropped: (topic) => {
        if (registry.drop(topic, clock.currentTimeMillisUnsafe())) keeper.changed.openUnsafe()
      }
    })
    yield* Effect.raceAllFirst([line.lost, beat(keeper, line), follow(keeper, line)])
  }
)

/** A connection may die without a word, and nobody else sends anything on this one. Ends when it has died. */
const beat = (keeper: Keeper, line: Line): Effect.Effect<void> => {
  const { healthCheck, validateTimeout } = keeper.config
  const silent = new Cause.TimeoutError("no answer within validateTimeout")
  const limit = { duration: validateTimeout, orElse: () => Effect.fail(silent) }
  return TimeLimit.timeoutOrElse(line.ping, limit).pipe(
    Effect.map(() => prove(keeper)),
    Effect.schedule(healthCheck),
    Effect.andThen(Effect.never),
    Effect.ignore
  )
}

const prove = (keeper: Keeper): number => keeper.provenAt = keeper.clock.currentTimeMillisUnsafe()

const concurrently = { concurrency: "unbounded", discard: true } as const

/** Has the line confirm what is wanted, now and after each change. */
const follow = Effect.fnUntraced(function*(keeper: Keeper, line: Line): Effect.fn.Return<never, RedisError> {
  const { changed, registry } = keeper
  while (true) {
    changed.closeUnsafe()
    yield* Effect.forEach(registry.missing(), (topic) => confirm(keeper, line, topic), concurrently)
    yield* Effect.forEach(registry.surplus(), (topic) => {
      registry.forget(topic)
      return line.unsubscribe(topic)
    }, concurrently)
    registry.announce(prove(keeper))
    yield* changed.await
  }
})

const confirm = (keeper: Keeper, line: Line, topic: Topic): Effect.Effect<void, RedisError> =>
  Effect.matchEffect(line.subscribe(topic), {
    onSuccess: () => Effect.sync(() => keeper.registry.confirm(topic)),
    onFailure: (error) => {
      // A user may not listen to it. Everything else is the connection's fault.
      if (error.reason._tag !== "CommandFailed" || error.isRetryable) return Effect.fail(error)
      return Effect.sync(() => keeper.registry.refuse(topic, Cause.fail(error)))
    }
  })

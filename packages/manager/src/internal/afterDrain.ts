/**
 * Things that outlive their own layer until the pools are drained: a server that tells how the drain goes, for one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Manager } from "../Manager.ts"

export class AfterDrain {
  private readonly drained = Deferred.makeUnsafe<void>()
  private readonly waiting = new Set<Fiber.Fiber<unknown>>()
  private readonly longest: number

  /** ms that a manager may take to end: what waits for one that goes on waits no longer. */
  constructor(longest: number) {
    this.longest = longest
  }

  readonly run: Manager["afterDrain"] = Effect.fnUntraced({ self: this }, function*(effect: Effect.Effect<unknown>) {
    const now = yield* Deferred.make<void>()
    const begun = Effect.raceAllFirst([Deferred.await(this.drained), Deferred.await(now), Effect.sleep(this.longest)])
    const fiber = yield* Effect.forkDetach(Effect.andThen(begun, effect))
    this.waiting.add(fiber)
    fiber.addObserver(() => this.waiting.delete(fiber))
    return Effect.andThen(Deferred.succeed(now, undefined), Effect.asVoid(Fiber.await(fiber)))
  })

  /** The drain is over: runs what waited for it, to its end. */
  readonly end: Effect.Effect<unknown> = Effect.suspend(() =>
    Effect.andThen(Deferred.succeed(this.drained, undefined), Fiber.awaitAll(Array.from(this.waiting)))
  )
}

/**
 * Gives up idle connections ahead of the moment at which their server said it would close them.
 *
 * One fiber serves all connections of a pool and sleeps until the first of them is due; it runs only while a server has
 * set a limit.
 */
import { steadyMillis } from "@effect-pools/core/TimeLimit"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

/** The connection that is kept alive. */
export interface Kept {
  /** How long it may be idle, in milliseconds; `Infinity` while the server has said nothing. */
  readonly keepAlive: number
  /** When it became idle, or `undefined` while it is in use. */
  readonly idleSince: number | undefined
  /** Ends it in order. */
  readonly end: () => void
}

export class KeepAlive {
  private readonly kept = new Set<Kept>()
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => void
  private isAwake = false

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => void) {
    this.clock = clock
    this.fork = fork
  }

  static readonly make: Effect.Effect<KeepAlive, never, Scope.Scope> = Effect.gen(function*() {
    return new KeepAlive(yield* Clock.Clock, yield* FiberSet.makeRuntime<never, void, never>())
  })

  now(): number {
    return Math.floor(steadyMillis(this.clock))
  }

  /** To be called when the server has set a limit. */
  add(kept: Kept): void {
    this.kept.add(kept)
    if (this.isAwake) return
    this.isAwake = true
    this.fork(this.loop)
  }

  delete(kept: Kept): void {
    this.kept.delete(kept)
  }

  private readonly loop: Effect.Effect<void> = Effect.suspend(() => {
    if (this.kept.size === 0) {
      this.isAwake = false
      return Effect.void
    }
    return Effect.andThen(Effect.sleep(Math.max(1, this.look())), this.loop)
  })

  /** Ends what is due, and tells how long nothing else can be. */
  private look(): number {
    const now = this.now()
    let next = Infinity
    for (const kept of this.kept) {
      const left = (kept.idleSince ?? now) + kept.keepAlive - now
      if (left > 0) next = Math.min(next, left)
      else kept.end()
    }
    return Math.min(next, longestSleep)
  }
}

/** The shortest limit above 0 that `parse` finds: whoever is added during a sleep is not due before its end. */
const longestSleep = 500

const hint = /(?:^|[,\s])timeout\s*=\s*"?(\d+)/i

/** How long a connection may be idle by the header `Keep-Alive: timeout=5`, less a margin of half of it at most. */
export const parse = (header: string | undefined, margin: number): number => {
  const seconds = header === undefined ? undefined : hint.exec(header)?.[1]
  if (seconds === undefined) return Infinity
  const millis = Number(seconds) * 1000
  return millis - Math.min(margin, millis / 2)
}

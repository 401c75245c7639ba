/**
 * Messages that wait for one reader. It takes and gives synchronously, so that a message costs no detour; the bound is
 * kept by who puts messages in, since only it can slow the sender down.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

type Resume<A, E> = (effect: Effect.Effect<NonEmptyReadonlyArray<A>, E>) => void

export class Inbox<A, E> {
  private items: Array<A> = []
  private end: Exit.Exit<never, E> | undefined = undefined
  private readonly takers: Array<Resume<A, E>> = []

  get size(): number {
    return this.items.length
  }

  push(item: A): void {
    if (this.end !== undefined) return
    const taker = this.takers.shift()
    if (taker === undefined) this.items.push(item)
    else taker(Effect.succeed([item]))
  }

  /** Makes room. */
  dropOldest(): A | undefined {
    return this.items.shift()
  }

  /** Takes what is left, for another reader. */
  drain(): ReadonlyArray<A> {
    const { items } = this
    this.items = []
    return items
  }

  /** Messages that wait are still read before the end. */
  finish(exit: Exit.Exit<never, E>): void {
    if (this.end !== undefined) return
    this.end = exit
    for (const taker of this.takers.splice(0)) taker(exit)
  }

  /** Everything that waits, or the next message. */
  readonly take: Effect.Effect<NonEmptyReadonlyArray<A>, E> = Effect.suspend(() => {
    if (this.items.length > 0) return Effect.succeed(this.drain() as unknown as NonEmptyReadonlyArray<A>)
    if (this.end !== undefined) return this.end
    return Effect.callback<NonEmptyReadonlyArray<A>, E>((resume) => {
      this.takers.push(resume)
      return Effect.sync(() => {
        const place = this.takers.indexOf(resume)
        if (place >= 0) this.takers.splice(place, 1)
      })
    })
  })
}

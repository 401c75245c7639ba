/** People at their terminals: they think, they speak, and now and then all of them speak at once. */
import { Clock, Effect, Random } from "effect"
import { turn } from "./conversation.ts"
import type { Tally } from "./Tally.ts"

/** How often there is a burst, and how long it is, in milliseconds. */
const burstEvery = 8000
const burstLength = 1000

const thinkTime = Effect.flatMap(
  Clock.currentTimeMillis,
  (now) => now % burstEvery < burstLength ? Random.nextIntBetween(200, 600) : Random.nextIntBetween(300, 1500)
)

const person = (tally: Tally, isOpen: () => boolean) =>
  Effect.gen(function*() {
    while (isOpen()) {
      yield* Effect.sleep(yield* thinkTime)
      if (!isOpen()) return
      yield* turn(tally).pipe(
        Effect.matchEffect({
          onFailure: (error) => Effect.logWarning("a turn was lost", error).pipe(Effect.map(() => void tally.lost++)),
          onSuccess: () => Effect.sync(() => void tally.served++)
        })
      )
    }
  })

/** Runs so many people until `isOpen` says no and each has ended the turn it was in. */
export const crowd = (people: number, tally: Tally, isOpen: () => boolean) =>
  Effect.all(Array.from({ length: people }, () => person(tally, isOpen)), { concurrency: "unbounded", discard: true })

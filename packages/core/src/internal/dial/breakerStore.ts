/**
 * The store that keeps the state of a pool's breaker, so that it can't hold up the pool.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Scope from "effect/Scope"
import { limited } from "../base/limited.ts"
import { steadied, steadyMillis } from "../base/time.ts"

type Store = CircuitBreaker.CircuitBreakerStore["Service"]

const limit = { step: "an answer of the breaker's store", option: "a fixed limit", millis: 1_000 }

/** The admission of a dial that the store does not know of. */
const unknown: CircuitBreaker.Admission = {
  generation: -1,
  probe: false,
  consecutiveOpenings: 0,
  transition: undefined
}

/**
 * A store that processes share, so that it can't keep a pool from its own backend.
 *
 * Such a store is one more thing that can be down. Its answer is waited for a second; without one it is left alone for
 * as long as the breaker would stay open, and dials are made as if the breaker were closed.
 */
export const tolerant = (store: Store, leaveAloneFor: number, onFailed: (cause: unknown) => void): Store => {
  let leftAloneUntil = -Infinity
  const ask = <A>(
    question: () => Effect.Effect<A, CircuitBreaker.CircuitBreakerError>,
    otherwise: A
  ): Effect.Effect<A, CircuitBreaker.CircuitBreakerError> =>
    Effect.clockWith((clock) => {
      if (steadyMillis(clock) < leftAloneUntil) return Effect.succeed(otherwise)
      // Suspended, so that a store that throws has failed like any other.
      return Effect.catch(limited(Effect.suspend(question), limit), (cause) => {
        if (isRefusal(cause)) return Effect.fail(cause)
        leftAloneUntil = steadyMillis(clock) + leaveAloneFor
        onFailed(cause)
        return Effect.succeed(otherwise)
      })
    })
  return {
    admit: (key) => Effect.flatMap(Effect.scope, (scope) => ask(() => Scope.provide(store.admit(key), scope), unknown)),
    record: (outcome) =>
      outcome.generation === unknown.generation ? Effect.undefined : ask(() => store.record(outcome), undefined),
    state: (key) => ask(() => store.state(key), { _tag: "Closed", key })
  }
}

/** The store of a pool of its own. A breaker that is open stays so by the steady clock, whatever becomes of the wall's. */
export const own: Effect.Effect<Store, never, Scope.Scope> = Effect.gen(function*() {
  const context = yield* Layer.build(Layer.fresh(CircuitBreaker.layerStoreMemory()))
  const store = Context.get(context, CircuitBreaker.CircuitBreakerStore)
  const steadily = Effect.provideService(Clock.Clock, steadied(yield* Clock.Clock))
  return {
    admit: (key) => steadily(store.admit(key)),
    record: (outcome) => steadily(store.record(outcome)),
    state: (key) => steadily(store.state(key))
  }
})

/**
 * The breaker of a pool that shares what it knows with others: its own store says whether it dials, and the shared one keeps
 * everybody from dialling once two have found that the backend is down.
 *
 * A pool has one vote, given when its own breaker opens and taken back by its next success. So a process whose network is
 * sick opens its own breaker and nobody else's; and a success of anybody in between shows that the backend is not down.
 */
export const agreeing = (own: Store, shared: Store): Store => {
  const admitted = new Map<
    number,
    { readonly own: CircuitBreaker.Admission; readonly shared: CircuitBreaker.Admission }
  >()
  let last = 0
  let hasVoted = false
  const votes = CircuitBreaker.consecutive(2)
  return {
    admit: (key) =>
      Effect.flatMap(own.admit(key), (mine) =>
        Effect.matchEffect(shared.admit(key), {
          onSuccess: (theirs) => {
            admitted.set(++last, { own: mine, shared: theirs })
            return Effect.succeed({ ...mine, generation: last, transition: mine.transition ?? theirs.transition })
          },
          // The trial is put off: another process tries for all.
          onFailure: (refusal) =>
            Effect.andThen(own.record(ignoring(key, mine.generation, votes)), Effect.fail(refusal))
        })),
    record: Effect.fnUntraced(function*(dial) {
      const admission = admitted.get(dial.generation)
      if (admission === undefined) return undefined
      admitted.delete(dial.generation)
      const moved = yield* own.record({ ...dial, generation: admission.own.generation })
      const isVote = moved?.to === "Open" && !hasVoted
      if (dial.outcome === "Success") hasVoted = false
      else if (isVote) hasVoted = true
      const isHeard = dial.outcome === "Success" || isVote || admission.shared.probe
      if (!isHeard) return moved
      const theirs = yield* shared.record({ ...dial, generation: admission.shared.generation, tripPolicy: votes })
      return moved ?? theirs
    }),
    state: (key) =>
      Effect.flatMap(own.state(key), (mine) => mine._tag === "Open" ? Effect.succeed(mine) : shared.state(key))
  }
}

const ignoring = (
  key: string,
  generation: number,
  tripPolicy: CircuitBreaker.TripPolicy
): Parameters<Store["record"]>[0] => ({
  key,
  generation,
  outcome: "Ignored",
  tripPolicy,
  openFor: Duration.zero
})

/**
 * A store in which only a failure opens the breaker. By itself it would also be opened by the success that makes the
 * dials as many as it takes to judge them, in the very moment in which the backend is back.
 */
export const openedByFailure = (store: Store): Store => ({
  ...store,
  record: (dial) =>
    store.record(dial.outcome === "Success" ? { ...dial, tripPolicy: onlyIfAllFailed(dial.tripPolicy) } : dial)
})

const onlyIfAllFailed = (policy: CircuitBreaker.TripPolicy): CircuitBreaker.TripPolicy =>
  policy._tag === "Rate" ? { ...policy, threshold: 1 } : policy

/** The store has answered: no. */
const isRefusal = (cause: unknown): cause is CircuitBreaker.CircuitBreakerError =>
  cause instanceof CircuitBreaker.CircuitBreakerError && cause.reason._tag !== "CircuitBreakerStoreError"

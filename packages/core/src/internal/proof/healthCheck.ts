/**
 * The background health check: on its schedule it probes what is idle, one connection at a time, the longest unproven
 * first. A caller that comes while the last one is probed waits for its answer or gets a new one.
 */
import * as Effect from "effect/Effect"
import { emit } from "../watch/events.ts"
import type { Pooled } from "../line/lease.ts"
import type { PoolState } from "../pool/state.ts"
import { probe } from "./validate.ts"

export const checkHealth = (state: PoolState): Effect.Effect<unknown> =>
  state.connector.validate === undefined
    ? Effect.void
    : Effect.schedule(Effect.suspend(() => round(state)), state.config.healthCheck)

const round = Effect.fnUntraced(function*(state: PoolState) {
  const startedAt = state.time.now()
  let checked = 0
  let failed = 0
  for (let next = nextUnproven(state, startedAt); next !== undefined; next = nextUnproven(state, startedAt)) {
    checked++
    if (!(yield* probe(state, next))) failed++
  }
  emit(state, { _tag: "HealthChecked", checked, failed })
})

/** The idle connection that proved itself longest ago, unless that was in this round. */
const nextUnproven = (state: PoolState, startedAt: number): Pooled | undefined => {
  let next: Pooled | undefined
  for (const connection of state.places.idle) {
    if (connection.provenAt < startedAt && (next === undefined || connection.provenAt < next.provenAt)) {
      next = connection
    }
  }
  return next
}

/**
 * Makes a session what the callers of a key want it to be, before one of them is lent it.
 *
 * It is done for connections that are new and for those that others had before alike, and skipped for one that is so
 * already. Names and values are parameters and never part of a text.
 */
import type { Pin, SessionTenant } from "./state.ts"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { SessionState } from "./model.ts"

export const nobody: SessionState = Object.freeze({})

/** The same for the same state, whatever the order of its settings. */
export const textOf = ({ role, settings = {} }: SessionState): string =>
  JSON.stringify([role ?? null, Object.entries(settings).toSorted(([a], [b]) => a < b ? -1 : 1)])

/** `undefined` if nothing is to be done. What fails or is interrupted leaves the session in a state that nobody relies on. */
export const apply = (
  tenant: SessionTenant,
  run: Pin,
  wanted: SessionState
): Effect.Effect<void, SqlError> | undefined => {
  const text = textOf(wanted)
  if (tenant.text === text) return undefined
  const settings = Object.entries(wanted.settings ?? {})
  const names = new Set(settings.map(([name]) => name))
  const isKnown = tenant.text !== undefined
  const clears = !isKnown || tenant.names.some((name) => !names.has(name))
  const calls = [...settings, ...(wanted.role === undefined ? [] : [["role", wanted.role] as const])]
  const steps = [
    // A lesser role may not set what its own may.
    ...(isKnown && !tenant.hasRole ? [] : [run("RESET ROLE", [])]),
    ...(clears ? [run("RESET ALL", [])] : []),
    ...(calls.length === 0 ? [] : [
      run(
        `SELECT ${calls.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, false)`).join(", ")}`,
        calls.flat()
      )
    ])
  ]
  return Effect.suspend(() => {
    tenant.text = undefined
    return Effect.andThen(
      Effect.forEach(steps, (step) => step, { discard: true }),
      Effect.sync(() => {
        tenant.text = text
        tenant.names = Array.from(names)
        tenant.hasRole = wanted.role !== undefined
      })
    )
  })
}

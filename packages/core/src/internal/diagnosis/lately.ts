/**
 * The diagnosis for callers that are refused at once, of whom there may be very many: it is made once a second at most.
 */
import type { PoolState } from "../pool/state.ts"
import { diagnose } from "./diagnose.ts"
import type { Diagnosis } from "./model.ts"
import { observe } from "./observe.ts"

/** ms */
const fresh = 1000

interface Made {
  readonly at: number
  readonly diagnosis: Diagnosis | undefined
}

const made = new WeakMap<PoolState, Made>()

export const diagnosedLately = (state: PoolState): Diagnosis | undefined => {
  const now = state.time.now()
  const last = made.get(state)
  if (last !== undefined && now - last.at < fresh) return last.diagnosis
  const diagnosis = diagnose(observe(state))?.diagnosis
  made.set(state, { at: now, diagnosis })
  return diagnosis
}

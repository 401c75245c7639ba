/**
 * The table of causes, and the one that is told. Another cause is another entry: its place says which others it explains.
 */
import { budgetSpent } from "./budget.ts"
import type { CauseEntry, Found } from "./cause.ts"
import {
  backendDown,
  backendWasDown,
  breakerOpen,
  credentialsRefused,
  dialsFail,
  dialsSlow,
  serverFull
} from "./dials.ts"
import { backendSlow, leak, leasesTooLong, oneHolder, queueDeadlock } from "./holders.ts"
import { oneKey } from "./keys.ts"
import { callersFail, poolTooSmall } from "./size.ts"
import type { Diagnosis, Verdict } from "./model.ts"
import { areCallersFailing, isServing, type Observation } from "./observation.ts"

/** Where several fit, the first is told. */
export const entries: ReadonlyArray<CauseEntry> = [
  credentialsRefused,
  serverFull,
  backendDown,
  breakerOpen,
  queueDeadlock,
  budgetSpent,
  oneKey,
  oneHolder,
  backendSlow,
  leak,
  dialsFail,
  leasesTooLong,
  dialsSlow,
  poolTooSmall,
  callersFail,
  backendWasDown
]

/** Names the cause of what is not well. An operator's pause and the end of a pool need none. */
export const diagnose = (seen: Observation): Verdict | undefined => {
  if (seen.stats.state !== "open") return undefined
  for (const { cause, find, silences } of entries) {
    const found = find(seen)
    if (found !== undefined) return { diagnosis: told(seen, cause, found), silences }
  }
  return undefined
}

const told = (seen: Observation, cause: Diagnosis["cause"], found: Found): Diagnosis => {
  const isOver = found.overAgo !== undefined
  const isCritical = !isOver && (found.isCritical === true || areCallersFailing(seen) || !isServing(seen))
  return {
    cause,
    level: isCritical ? "critical" : "warning",
    since: Math.round(seen.at - found.ago),
    until: found.overAgo === undefined ? undefined : Math.round(seen.at - found.overAgo),
    text: found.text,
    remedy: found.remedy
  }
}

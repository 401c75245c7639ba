/**
 * The seam of the diagnosis: one entry for each cause.
 */
import type { HealthWarning } from "../../PoolHealth.ts"
import type { Cause, Diagnosis } from "./model.ts"
import type { Observation } from "./observation.ts"

/** The finding of an entry. It is critical if it says so or callers fail, unless it is over. */
export interface Found extends Pick<Diagnosis, "text" | "remedy"> {
  /** How long ago it began, in milliseconds. */
  readonly ago: number
  /** How long ago it was over, if it is. */
  readonly overAgo?: number | undefined
  readonly isCritical?: boolean | undefined
}

export interface CauseEntry {
  readonly cause: Cause
  /** The warnings that only follow from it. */
  readonly silences: ReadonlyArray<HealthWarning["about"]>
  readonly find: (seen: Observation) => Found | undefined
}

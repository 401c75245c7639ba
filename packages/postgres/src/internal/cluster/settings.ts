/**
 * The options of a cluster, checked and complete. Durations are in milliseconds.
 */
import type { Consistency } from "./model.ts"

export interface ClusterSettings {
  readonly maxLag: number
  readonly maxWait: number
  readonly consistency: Consistency
  readonly primaryShare: number
  readonly tokenLifetime: number
  readonly probeInterval: number
  /** `undefined`: from level 2 of degradation on. */
  readonly dedupe: boolean | undefined
}

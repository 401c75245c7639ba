/**
 * An alert that was raised or cleared.
 */
import type { Alert } from "../MonitoringApi.ts"

export interface AlertChange {
  readonly _tag: "AlertRaised" | "AlertCleared"
  readonly alert: Alert
}

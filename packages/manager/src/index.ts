/**
 * All pools of a program in one place: drained in order at the end, watched all the time.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export { ConnectionManager } from "./ConnectionManager.ts"

/** @since 0.1.0 */
export * as Manager from "./Manager.ts"

/** @since 0.1.0 */
export * as MonitoringApi from "./MonitoringApi.ts"

/** @since 0.1.0 */
export * as Monitoring from "./Monitoring.ts"

/** @since 0.1.0 */
export * as LeaseSpan from "./LeaseSpan.ts"

/** @since 0.1.0 */
export * as PerRequest from "./PerRequest.ts"

/** @since 0.1.0 */
export * as ShutdownSignals from "./ShutdownSignals.ts"

/**
 * The engine: a managed pool for any kind of connection.
 *
 * @since 0.1.0
 */
export * as BalancedPool from "./BalancedPool.ts"
export * as ConfigInput from "./ConfigInput.ts"
export * as ConnectionPool from "./ConnectionPool.ts"
export * as Connector from "./Connector.ts"
export * as Describe from "./Describe.ts"
export * as DialError from "./DialError.ts"
export * as OptionRules from "./OptionRules.ts"
export * as PoolConfig from "./PoolConfig.ts"
export * as PoolError from "./PoolError.ts"
export * as PoolEvent from "./PoolEvent.ts"
export * as PoolHealth from "./PoolHealth.ts"
export * as PoolKind from "./PoolKind.ts"
export * as PoolMetrics from "./PoolMetrics.ts"
export * as PoolService from "./PoolService.ts"
export * as PoolSizing from "./PoolSizing.ts"
export * as PoolStats from "./PoolStats.ts"
export * as PoolThresholds from "./PoolThresholds.ts"
export * as ResourcePool from "./ResourcePool.ts"
export * as ServerText from "./ServerText.ts"
export * as ServerUrl from "./ServerUrl.ts"
export * as SocketError from "./SocketError.ts"
export * as TimeLimit from "./TimeLimit.ts"
export * as Traffic from "./Traffic.ts"

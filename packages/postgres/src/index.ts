/**
 * Managed pools of PostgreSQL connections.
 *
 * @since 0.1.0
 */
export * as FatalSqlState from "./FatalSqlState.ts"
export * as OutcomeUnknown from "./OutcomeUnknown.ts"
export * as PostgresConfig from "./PostgresConfig.ts"
export * as PostgresConnector from "./PostgresConnector.ts"
export * as PostgresPool from "./PostgresPool.ts"
export * as PostgresScript from "./PostgresScript.ts"

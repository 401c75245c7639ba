/**
 * Managed pools of PostgreSQL connections.
 *
 * @since 0.1.0
 */
export * as ClusterError from "./ClusterError.ts"
export * as ClusterScript from "./ClusterScript.ts"
export * as Consistency from "./Consistency.ts"
export * as FatalSqlState from "./FatalSqlState.ts"
export * as OutcomeUnknown from "./OutcomeUnknown.ts"
export * as PgBouncerAdmin from "./PgBouncerAdmin.ts"
export * as PgBouncerError from "./PgBouncerError.ts"
export * as PostgresCluster from "./PostgresCluster.ts"
export * as PostgresConfig from "./PostgresConfig.ts"
export * as PostgresConnector from "./PostgresConnector.ts"
export * as PostgresPool from "./PostgresPool.ts"
export * as PostgresScript from "./PostgresScript.ts"

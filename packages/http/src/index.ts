/**
 * Managed pools of HTTP connections.
 *
 * @since 0.1.0
 */
export * as HttpConfig from "./HttpConfig.ts"
export * as HttpConnector from "./HttpConnector.ts"
export * as HttpPool from "./HttpPool.ts"
export * as HttpPools from "./HttpPools.ts"

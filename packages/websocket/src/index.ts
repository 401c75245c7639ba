/**
 * Managed pools of WebSocket connections.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as WebSocketConfig from "./WebSocketConfig.ts"

/** @since 0.1.0 */
export * as WebSocketConnector from "./WebSocketConnector.ts"

/** @since 0.1.0 */
export * as WebSocketError from "./WebSocketError.ts"

/** @since 0.1.0 */
export * as WebSocketInbound from "./WebSocketInbound.ts"

/** @since 0.1.0 */
export * as WebSocketPool from "./WebSocketPool.ts"

/** @since 0.1.0 */
export * as WebSocketProtocol from "./WebSocketProtocol.ts"

/** @since 0.1.0 */
export * as WebSocketScript from "./WebSocketScript.ts"

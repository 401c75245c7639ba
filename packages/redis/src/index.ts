/**
 * Managed pools of Redis connections.
 *
 * @since 0.1.0
 */
export * as RedisCommand from "./RedisCommand.ts"
export * as RedisCommands from "./RedisCommands.ts"
export * as RedisConfig from "./RedisConfig.ts"
export * as RedisConnector from "./RedisConnector.ts"
export * as RedisError from "./RedisError.ts"
export * as RedisPersistence from "./RedisPersistence.ts"
export * as RedisPool from "./RedisPool.ts"
export * as RedisScript from "./RedisScript.ts"
export * as RedisSubscription from "./RedisSubscription.ts"

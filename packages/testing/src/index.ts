/**
 * Fakes, faults, real servers and a contract suite for testing connection pools.
 *
 * @since 0.1.0
 */

/** @since 0.1.0 */
export * as EffectPools from "./EffectPools.ts"

/** @since 0.1.0 */
export * as EmbeddedPostgres from "./EmbeddedPostgres.ts"

/** @since 0.1.0 */
export * as EmbeddedRedis from "./EmbeddedRedis.ts"

/** @since 0.1.0 */
export * as Eventually from "./Eventually.ts"

/** @since 0.1.0 */
export * as FakeConnector from "./FakeConnector.ts"

/** @since 0.1.0 */
export * as GatedConnector from "./GatedConnector.ts"

/** @since 0.1.0 */
export * as FaultyConnector from "./FaultyConnector.ts"

/** @since 0.1.0 */
export * as TcpProxy from "./TcpProxy.ts"

/** @since 0.1.0 */
export * as TestCertificate from "./TestCertificate.ts"

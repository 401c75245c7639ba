/**
 * The part of a pool that lends for longer than an effect runs.
 */
import type { Keeper } from "../model/service.ts"
import { makeAttachment } from "./attachment.ts"

/**
 * The keeper of a pool: `keepers.ofPristine(pool)`. A pool of pools has none, nor has one whose lending is decorated, since
 * whatever that wraps a lease in ends with the effect.
 *
 * @category accessors
 * @since 0.1.0
 */
export const keepers = makeAttachment<Keeper<any>>("@effect-pools/core/Keeper")

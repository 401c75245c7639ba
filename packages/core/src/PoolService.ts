/**
 * For authors of backend packages: the service class of a kind of pool, its layers and its members.
 *
 * A backend says what its pools do beyond lending (`Operations`), how one is made of options, and how a test's script
 * takes the place of the server (`Backend`). From that come the class, its layers, and the same members on the class and
 * on the pool it finds: see `examples/own-kind` of the repository.
 *
 * @since 0.1.0
 */

export type { Attachment, Backend, Keeper, Kept, Layers, Lender, Operations } from "./internal/model/service.ts"
export { makeAttachment } from "./internal/service/attachment.ts"
export { derive, extend } from "./internal/service/extend.ts"
export { keepers } from "./internal/service/keepers.ts"
export { make, makePool } from "./internal/service/layers.ts"
export { onEnd } from "./internal/service/onEnd.ts"
export { serviceClass } from "./internal/service/serviceClass.ts"
export { shared } from "./internal/service/shared.ts"
export { telling } from "./internal/service/telling.ts"
export { endsAtOnce } from "./internal/service/testEnd.ts"

/**
 * The options of a pool in a test, to be spread before those of the test: connections are opened in the order in which
 * the test asks for them, and nothing happens beside.
 *
 * @category defaults
 * @since 0.1.0
 */
export const quiet: {
  readonly minConnections: 0
  readonly healthCheck: "1 day"
  readonly metrics: false
} = Object.freeze({ minConnections: 0, healthCheck: "1 day", metrics: false })

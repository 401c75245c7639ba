/**
 * What every pool must do, as one vitest suite that each pool package runs against its own backend.
 *
 * It is not part of the package's index, so that only who runs it loads vitest.
 *
 * @since 0.1.0
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import { layer } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeBench } from "./internal/contract/bench.ts"
import { ending } from "./internal/contract/ending.ts"
import { holding } from "./internal/contract/holding.ts"
import { leasing } from "./internal/contract/leasing.ts"
import { observing } from "./internal/contract/observing.ts"
import { replacing } from "./internal/contract/replacing.ts"
import { waiting } from "./internal/contract/waiting.ts"

/**
 * The pool under test and its backend.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject<Lent, R> {
  /** The backend, made once for the suite. `Layer.empty` if the pool needs none. */
  readonly layer: Layer.Layer<R, unknown>
  /** Makes a pool with these options, which must all reach the pool. */
  readonly make: (options: PoolOptions) => Effect.Effect<ConnectionPool<Lent>, unknown, Scope.Scope | R>
  /** Uses a connection for one round trip, and tells what identifies it, such as the process id of its backend. */
  readonly use: (connection: Lent) => Effect.Effect<unknown, unknown, R>
  /** Whether the use of a connection after its lease is a defect. Default false. */
  readonly revokes?: boolean | undefined
  /** How many connections the backend counts now, if it can tell. It is asked for again until it agrees. */
  readonly live?: Effect.Effect<number, unknown, R> | undefined
}

/**
 * Defines the suite. It runs in real time; each test takes well below a second.
 *
 * @category suites
 * @since 0.1.0
 */
export const suite = <Lent, R>(name: string, subject: Subject<Lent, R>): void => {
  layer(subject.layer, { excludeTestServices: true, timeout: "2 minutes" })(`ConnectionPoolContract: ${name}`, (it) => {
    const bench = makeBench(subject, it.effect)
    leasing(bench)
    holding(bench)
    waiting(bench)
    replacing(bench)
    ending(bench)
    observing(bench)
  })
}

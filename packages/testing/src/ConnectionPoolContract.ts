/**
 * The contract of every pool, as one vitest suite that each pool package runs against its own backend.
 *
 * It is not part of the package's index, so that only who runs it loads vitest.
 *
 * @since 0.1.0
 */
import { layer } from "@effect/vitest"
import { makeBench } from "./internal/contract/bench.ts"
import { ending } from "./internal/contract/ending.ts"
import { holding } from "./internal/contract/holding.ts"
import { leasing } from "./internal/contract/leasing.ts"
import { observing } from "./internal/contract/observing.ts"
import { replacing } from "./internal/contract/replacing.ts"
import { waiting } from "./internal/contract/waiting.ts"
import type { Subject } from "./internal/contract/subject.ts"

export type { Subject } from "./internal/contract/subject.ts"

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

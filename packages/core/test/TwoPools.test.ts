/**
 * Two pools of one class, built by two calls of a function that makes a layer.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConnectionPool } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { Effect, Layer, Metric } from "effect"
import { captureLogs, type Log } from "./utils/bench.ts"

class Backend extends ConnectionPool.Service<Backend, FakeConnector.FakeConnection>()("test/Backend") {}

const worker = Layer.effectDiscard(Backend.withConnection(() => Effect.void))

/** What is logged while two workers get their pool, and how many connections are left. */
const build = (pools: readonly [typeof live, typeof live]) => {
  const logs: Array<Log> = []
  const both = Layer.merge(worker.pipe(Layer.provide(pools[0])), worker.pipe(Layer.provide(pools[1])))
  return Effect.scoped(Layer.build(both)).pipe(
    Effect.provide(captureLogs(logs)),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.as(logs)
  )
}

const fake = FakeConnector.make()
const make = () => Backend.layer(fake.connector, { minConnections: 2 })
const live = make()

describe("two pools of one class", () => {
  it.effect("are two, and the second says so", () =>
    Effect.gen(function*() {
      const logs = yield* build([make(), make()])
      const warning = logs.find(({ level }) => level === "Warn")
      assert.include(warning?.text, "there is a pool of this name already")
      assert.strictEqual(warning?.pool, "test/Backend")
      assert.strictEqual(fake.leaked, 0)
    }))

  it.effect("are one where the layer is one value", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* build([live, live]), [])
    }))

  it.effect("one after the other are no matter, as with node --watch or a hot reload", () =>
    Effect.gen(function*() {
      const logs: Array<Log> = []
      for (const layer of [make(), make()]) {
        yield* Effect.scoped(Layer.build(layer)).pipe(Effect.provide(captureLogs(logs)))
      }
      assert.deepStrictEqual(logs, [])
      assert.strictEqual(fake.leaked, 0)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})

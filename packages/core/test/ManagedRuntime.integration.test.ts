import { ConnectionPool, type PoolConfig, type PoolError } from "@effect-pools/core"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime, References, Schedule } from "effect"

class Fakes extends ConnectionPool.Service<Fakes, FakeConnector.FakeConnection>()("test/Fakes") {}

/** A backend that is away until it is said to be up. */
const backend = () => {
  const fake = FakeConnector.make()
  const state = { isUp: false }
  const connector: typeof fake.connector = {
    ...fake.connector,
    connect: (signals) =>
      Effect.suspend(() => state.isUp ? fake.connector.connect(signals) : Effect.fail("ECONNREFUSED"))
  }
  const layer = (startup: "lazy" | "failFast") => {
    const options: PoolConfig.PoolOptions = {
      minConnections: 1,
      startup,
      acquireTimeout: 50,
      retry: Schedule.recurs(0)
    }
    return Layer.provide(Fakes.layer(connector, options), Layer.succeed(References.MinimumLogLevel, "None"))
  }
  return { fake, layer, state }
}

const serve = Fakes.withConnection(() => Effect.succeed("served"))

/** Programs without Effect run like this: the runtime builds the layer at the first call, and keeps what that comes to. */
describe("a ManagedRuntime whose backend is away at the first call", () => {
  it("serves when it is back, with a pool that starts lazily", async () => {
    const { fake, layer, state } = backend()
    const runtime = ManagedRuntime.make(layer("lazy"))
    const error = await runtime.runPromise(Effect.flip(serve))
    assert.isTrue(error.isRetryable)
    state.isUp = true
    assert.strictEqual(await runtime.runPromise(Effect.retry(serve, Schedule.spaced("10 millis"))), "served")
    await runtime.dispose()
    assert.strictEqual(fake.live, 0)
  })

  it("keeps the failure of a start that fails fast", async () => {
    const { layer, state } = backend()
    const runtime = ManagedRuntime.make(layer("failFast"))
    const call = () => runtime.runPromise(serve).then(() => "served", (error: PoolError.PoolError) => error.reason._tag)
    assert.strictEqual(await call(), "ConnectFailed")
    state.isUp = true
    assert.strictEqual(await call(), "ConnectFailed")
    await runtime.dispose()
  })

  it("serves when it is back, with a start that fails fast and is made anew", async () => {
    const { fake, layer, state } = backend()
    const anew = Layer.effectContext(
      Effect.retry(Layer.build(Layer.fresh(layer("failFast"))), Schedule.spaced("10 millis"))
    )
    const runtime = ManagedRuntime.make(anew)
    const call = runtime.runPromise(serve)
    await new Promise((resolve) => setTimeout(resolve, 50))
    state.isUp = true
    assert.strictEqual(await call, "served")
    assert.strictEqual(await runtime.runPromise(serve), "served")
    assert.strictEqual(fake.live, 1)
    await runtime.dispose()
    assert.strictEqual(fake.live, 0)
  })
})

import { ConnectionPool } from "@effect-pools/core"
import { ConnectionManager } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { $, factsOf } from "./fixtures/dashboardBrowser.ts"
import { inBrowser, isLive } from "./fixtures/dashboardPages.ts"
import { isolated, monitored } from "./support.ts"

class Db extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()("app/Db") {}

/** A pool that begins with four of sixteen connections and finds out how many of eight help. */
const world = () => {
  const { connector } = FakeConnector.make()
  const pool = Db.layer(connector, {
    minConnections: 0,
    maxConnections: 16,
    sizing: { mode: "apply", start: 4, max: 8 }
  })
  const manager = ConnectionManager.layer({ pools: [Db], sampleInterval: "100 millis" })
  return monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, pool)), Layer.provideMerge(isolated))
}

/** More callers than connections, each of which comes back at once. */
const load = Effect.gen(function*() {
  const caller = Effect.forever(Db.withConnection(() => Effect.sleep("5 millis")))
  for (let index = 0; index < 20; index++) yield* Effect.forkScoped(caller)
})

const { browse } = inBrowser()

describe("the page of a pool that finds its size", () => {
  it.live("shows which bound holds the limit down, what each size gave, and each move with its reason", () =>
    Effect.andThen(
      load,
      browse((page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* $(() => page.evaluate("location.hash = '#/pool/app%2FDb'"))
          const size = page.locator("section", { has: page.locator("#sizing-title") })
          yield* $(() => size.getByText(/ of 16 connections, by sizing; sizing: \w+/).waitFor())
          yield* $(() => size.locator("tbody tr", { hasText: /^4/ }).waitFor())
          yield* $(() => size.getByText(/ 4 → 5: callers wait at 4 \(.*, 5 is tried$/).waitFor())
          assert.strictEqual((yield* factsOf(page, ".lead"))["limited by"], "sizing")
        })
      )
    ).pipe(Effect.scoped, Effect.provide(world())))
})

import { ConnectionBudget, ConnectionPool } from "@effect-pools/core"
import { ConnectionManager, MonitoringApi } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { $, eventually, factsOf } from "./fixtures/dashboardBrowser.ts"
import { inBrowser, isLive } from "./fixtures/dashboardPages.ts"
import { ask, decode, isolated, monitored, poolNamed } from "./support.ts"

class Db extends ConnectionPool.Service<Db, FakeConnector.FakeConnection>()("app/Db") {}
class Reports extends ConnectionPool.Service<Reports, FakeConnector.FakeConnection>()("app/Reports") {}

/** Two pools that share ten connections, seven of which one of them has. */
const world = () => {
  const { connector } = FakeConnector.make()
  const options = { minConnections: 0, maxConnections: 8 }
  const pools = Layer.mergeAll(Db.layer(connector, options), Reports.layer(connector, options)).pipe(
    Layer.provide(ConnectionBudget.layer({ name: "primary", total: 10 }))
  )
  const manager = ConnectionManager.layer({ pools: [Db, Reports], sampleInterval: "100 millis" })
  return monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, pools)), Layer.provideMerge(isolated))
}

const seven = Effect.replicateEffect(Db.acquire, 7)

describe("a pool under a budget", () => {
  it.live("tells in /pools and in the metrics what it is granted, and what the others hold and want", () =>
    Effect.gen(function*() {
      yield* seven
      const { stats } = poolNamed(decode(MonitoringApi.Pools, yield* ask("/pools")), "app/Reports")
      assert.deepInclude(stats.budget, { name: "primary", total: 10, othersHold: 7, others: 1, store: "own" })
      assert.deepStrictEqual(stats.budget?.members.map(({ isSelf, name }) => [name, isSelf]), [
        ["app/Db", false],
        ["app/Reports", true]
      ])
      const metrics = yield* ask("/metrics")
      const text = typeof metrics === "string" ? metrics : JSON.stringify(metrics)
      assert.match(text, /connection_budget_connections\{.*budget=.*primary.*\} 7/)
      assert.match(text, /service_pool_budget_granted\{.*pool=.*app\/Reports/)
    }).pipe(Effect.scoped, Effect.provide(world())))
})

const { browse } = inBrowser()

describe("the page of a pool under a budget", () => {
  it.live("shows who shares the budget, with what each has and wants", () =>
    Effect.andThen(
      seven,
      browse((page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* $(() => page.evaluate("location.hash = '#/pool/app%2FReports'"))
          const budget = page.locator("section", { has: page.locator("#budget-title") })
          yield* $(() => budget.getByText("others hold 7").waitFor())
          // Ten in all, seven of which are lent to the other: its limit is the three that are left.
          const limit = Effect.map(factsOf(page, ".lead"), ({ "limited by": by, used }) => [by, used])
          yield* eventually(limit, ["budget", "0/3"])
          const rows = yield* $(() => budget.locator("tbody tr").allInnerTexts())
          assert.deepStrictEqual(rows.map((row) => row.split("\t")[0]?.trim()), ["app/Db", "app/Reports (this one)"])
        })
      )
    ).pipe(Effect.scoped, Effect.provide(world())))
})

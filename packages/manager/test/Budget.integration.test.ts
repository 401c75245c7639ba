import { ConnectionBudget, ConnectionPool } from "@effect-pools/core"
import { ConnectionManager, MonitoringApi } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Redis } from "effect/persistence"
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

/** A store that knows three other processes, of which one wants more than it is granted. */
const fleetStore = Layer.sync(Redis.Redis, () => {
  const others = [["a", "p1", 6, 6], ["b", "p2", 5, 16], ["c", "p3", 1, 1]] as const
  let me = ["", "", 4, 4] as readonly [id: string, name: string, grant: number, wants: number]
  return Redis.Redis.of({
    send: () => Effect.die("send"),
    subscribe: () => Effect.die("subscribe"),
    reserve: Effect.die("reserve"),
    eval: (script) => (...params) => {
      const [, , , id, label] = script.params(...params)
      if (id !== undefined) {
        me = [String(id), String(label), 4, 4]
        return Effect.succeed([4, 16, 16, 4, 0, 1000]) as Effect.Effect<never>
      }
      // A look at the budget asks for the processes too, which is no report.
      const records = [...others, me].flatMap(([id, name, grant, wants]) => [
        id,
        `9 ${grant} ${wants} 1 ${grant} 16 1000 ${name}`
      ])
      return Effect.succeed([2000, records]) as Effect.Effect<never>
    }
  })
})

/** A pool of one of four processes that share sixteen connections. */
const ofAFleet = () => {
  const pool = Db.layer(FakeConnector.make().connector, { minConnections: 0, maxConnections: 8 }).pipe(
    Layer.provide(ConnectionBudget.layerRedis({ name: "primary", total: 16, process: "the page" })),
    Layer.provide(fleetStore)
  )
  const manager = ConnectionManager.layer({ pools: [Db], sampleInterval: "100 millis" })
  return monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, pool)), Layer.provideMerge(isolated))
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

  it.live("shows the processes of a fleet, those with the most first, with what each is granted and wants", () =>
    browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* $(() => page.evaluate("location.hash = '#/pool/app%2FDb'"))
        const budget = page.locator("section", { has: page.locator("#budget-title") })
        yield* $(() => budget.getByText("others hold 12").waitFor())
        const rows = Effect.map(
          $(() => budget.locator("tbody tr").allInnerTexts()),
          (all) => all.map((row) => row.split("\t").map((cell) => cell.trim()))
        )
        yield* eventually(rows, [["p1", "6", "6"], ["p2", "5", "16"], ["the page (this one)", "4", "4"], [
          "p3",
          "1",
          "1"
        ]])
      })
    ).pipe(Effect.scoped, Effect.provide(ofAFleet())))
})

import { ConnectionManager, MonitoringApi } from "@effect-pools/manager"
import { ClusterScript, PostgresCluster } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import parsePrometheus from "parse-prometheus-text-format"
import { $, eventually } from "./fixtures/dashboardBrowser.ts"
import { inBrowser, isLive } from "./fixtures/dashboardPages.ts"
import { ask, decode, isolated, monitored, poolNamed } from "./support.ts"

class Database extends PostgresCluster.Service<Database>()("app/Database") {}

const name = (server: number) => `app/Database/server-${server}:5432`

/** A cluster of a primary and two replicas, which the test commands, and the manager that watches it. */
const world = () => {
  const script = ClusterScript.make(() => [{ n: 1 }], { replicas: 2 })
  const cluster = Database.layerTest(script, { metrics: true, probeInterval: "50 millis", maxConnections: 4 })
  const manager = ConnectionManager.layer({ pools: [Database], sampleInterval: "100 millis" })
  return {
    script,
    layer: monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, cluster)), Layer.provideMerge(isolated))
  }
}

const promoted = (script: ClusterScript.ClusterScript) =>
  Effect.suspend(() => {
    script.fail(0)
    script.promote(2)
    return eventually(Effect.map(Database.stats, ({ primary }) => primary?.name), name(2))
  })

describe("a cluster under the manager", () => {
  it.live("tells in /pools who serves what: role, state, lag, and who takes the writes since when", () => {
    const { layer, script } = world()
    return Effect.gen(function*() {
      script.lag(1, "3 seconds")
      yield* Database.query`INSERT INTO t VALUES (1)`
      yield* Effect.sleep("300 millis")
      const stats = Effect.map(
        ask("/pools"),
        (answer) => poolNamed(decode(MonitoringApi.Pools, answer), "app/Database").stats
      )
      const { members = [], primary } = yield* stats
      assert.deepStrictEqual(members.map(({ name, role, state }) => [name, role, state]), [
        [name(0), "primary", "in"],
        [name(1), "replica", "in"],
        [name(2), "replica", "in"]
      ])
      assert.isNull(members[0]?.lag)
      assert.isAbove(members[1]?.lag ?? 0, 0)
      assert.strictEqual(members[2]?.lag, 0)
      assert.deepInclude(primary, { name: name(0), before: null, timeline: 1, changes: 0 })
      yield* promoted(script)
      const after = yield* stats
      assert.deepStrictEqual(after.members?.map(({ role, state }) => [role, state]), [
        ["stray", "unreachable"],
        ["replica", "in"],
        ["primary", "in"]
      ])
      assert.deepInclude(after.primary, { name: name(2), before: name(0), timeline: 2, changes: 1 })
    }).pipe(Effect.provide(layer))
  })

  it.live("has its roles, its lag, its reads and its failovers in the metrics", () => {
    const { layer, script } = world()
    return Effect.gen(function*() {
      yield* Database.read`SELECT n FROM t`
      yield* promoted(script)
      const series = parsePrometheus((yield* ask("/metrics")).body)
      const valueOf = (metric: string, upstream?: string) =>
        series.find(({ name }) => name === metric)?.metrics?.find(({ labels }) =>
          labels?.["pool"] === "app/Database" && labels["upstream"] === upstream
        )?.value
      assert.deepStrictEqual([0, 1, 2].map((server) => valueOf("db_pool_is_primary", name(server))), ["0", "0", "1"])
      assert.deepStrictEqual([0, 1, 2].map((server) => valueOf("db_pool_replica_in", name(server))), ["0", "1", "0"])
      assert.deepStrictEqual([0, 1, 2].map((server) => valueOf("db_pool_reads_total", name(server))), ["0", "1", "0"])
      assert.strictEqual(valueOf("db_pool_replica_lag_seconds", name(1)), "0")
      assert.strictEqual(valueOf("db_pool_timeline"), "2")
      assert.strictEqual(valueOf("db_pool_primary_changes_total"), "1")
    }).pipe(Effect.provide(layer))
  })
})

const { browse } = inBrowser()

describe("the page of a cluster", () => {
  it.live("shows each server with its role and lag, who takes the writes, and the failover among the events", () => {
    const { layer, script } = world()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* promoted(script)
        yield* $(() => page.evaluate("location.hash = '#/pool/app%2FDatabase'"))
        const members = page.locator("section", { has: page.locator("#members-title") })
        yield* $(() => members.getByText(`${name(2)} takes the writes since`).waitFor())
        const rows = yield* $(() => members.locator("tbody tr").allInnerTexts())
        assert.deepStrictEqual(rows.map((row) => row.split("\t").slice(0, 3).map((cell) => cell.trim())), [
          [name(0), "stray", "unreachable"],
          [name(1), "replica", "in"],
          [name(2), "primary", "in"]
        ])
        const event = page.locator(".log tbody tr", { hasText: `${name(2)} takes the writes now, in timeline 2` })
        yield* $(() => event.first().waitFor())
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })
})

import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { finished } from "./voice-terminal-support.ts"

const limits: Readonly<Record<string, number>> = {
  database: 35,
  cache: 15,
  "voice-api": 8,
  realtime: 5
}

describe("the voice terminal", () => {
  it.live("ends by itself with a summary that adds up, of each pool and of all", () =>
    Effect.gen(function*() {
      const { output, summary } = yield* finished("--duration", "4s", "--load", "50")
      assert.match(output, /the dashboard is at http:\/\/127\.0\.0\.1:\d+\//)
      assert.match(output, /every turn that was served is stored, once/)
      assert.isAbove(summary.turns, 5)
      assert.deepInclude(summary, { failures: 0, lost: 0 })
      assert.deepStrictEqual(Object.keys(summary.pools).toSorted(), Object.keys(limits).toSorted())
      const pools = Object.entries(summary.pools)
      for (const [name, pool] of pools) {
        assert.strictEqual(pool.opened, pool.closed, name)
        assert.isAtMost(pool.peakConnections, limits[name] ?? 0, name)
        assert.isAbove(pool.leases, 0, name)
      }
      // The five objectives, one column each.
      assert.match(output, /acquire p95 +validate p95 +utilization +lifetime +failed dials/)
      for (const [name, { failedDials, lifetimeSeconds, utilization }] of pools) {
        assert.isAtLeast(utilization, 50, name)
        assert.isAtMost(utilization, 90, name)
        assert.isAtLeast(lifetimeSeconds, 4, `${name} ends before its time`)
        assert.strictEqual(failedDials, 0, name)
      }
      for (const total of ["leases", "failures", "opened", "closed", "peakConnections"] as const) {
        assert.strictEqual(summary[total], pools.reduce((sum, [, pool]) => sum + pool[total], 0), total)
      }
      assert.match(output, /its buttons .* ask for the token: [0-9a-f-]{36}/)
      assert.match(output, /measured over \d+ s of 50 people/)
      // What a miss means stands below the table: as many lines as there are marks in it.
      const table = output.slice(output.indexOf("acquire p95"), output.indexOf("A lifetime is met"))
      const marks = table.split("\n").filter((line) => !line.startsWith("!")).join("\n").match(/ !/g)?.length ?? 0
      assert.strictEqual(table.match(/^! /gm)?.length ?? 0, marks)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live(
    "loses nothing while each server is killed and revived in turn, and every pool recovers by itself",
    () =>
      Effect.gen(function*() {
        const { output, summary } = yield* finished("--duration", "1s", "--load", "50", "--chaos")
        for (const name of ["primary", "replica", "cache", "voice-api", "realtime"]) {
          assert.match(output, new RegExp(`-- ${name}: the server is back, and \\d+ ms later so is the pool`))
        }
        assert.strictEqual(summary.lost, 0, output)
        assert.isAbove(summary.failures, 0)
        // Normal work comes first, and the report says what it is of.
        const killed = output.indexOf("the server is killed")
        assert.match(output.slice(0, killed), / 4 s  turns +\d+/)
        assert.match(output, /measured over \d+ s of 50 people, .* with the time in which servers were down/)
        assert.match(output, /^! \w+.*the time in which servers were down is included$/m)
        assert.strictEqual(summary.opened, summary.closed)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    120_000
  )
})

/**
 * How many connections help, found by the pool itself, beside every fixed size:
 * `npm run sizing [-- --seconds 60] [--json FILE] [--picture FILE]`.
 *
 * The server is a real PostgreSQL on which statements wait for one another: each holds the lock of one of 20 rows for 80 ms, and
 * callers take the rows in turn. More than 20 connections only wait, and cost the server something.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PostgresPool } from "@effect-pools/postgres"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { Console, Effect, References } from "effect"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { describeMachine } from "../machine.ts"
import { pictureOf, type Run } from "./picture.ts"

const rows = 20
const held = 0.08
const callers = 130
const fixedSizes = [5, 10, 15, 18, 20, 22, 25, 30, 50, 100]

class Db extends PostgresPool.Service<Db>()("bench/Sizing") {}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    json: { type: "string" },
    picture: { type: "string" }
  }
})
const seconds = Number(values.seconds)

type Server = EmbeddedPostgres.Instance
type Sizing = { readonly mode: "apply"; readonly start: number } | undefined

/** A pool under callers that come back at once. */
const underLoad = <A, E>(
  server: Server,
  options: { readonly maxConnections: number; readonly sizing: Sizing },
  look: Effect.Effect<A, E, Db>
) => {
  let turn = 0
  const lease = Effect.suspend(() => Db.query`SELECT hold(${turn++ % rows}::int)`)
  const pool = Db.layer({
    url: server.url,
    minConnections: 1,
    sharing: 1,
    metrics: false,
    acquireTimeout: "1 minute",
    ...options
  })
  const callersOfAll = Array.from({ length: callers }, () => Effect.forever(lease))
  const all = Effect.andThen(Effect.all(callersOfAll, { concurrency: "unbounded", discard: true }), Effect.never)
  return Effect.raceFirst(look, all).pipe(
    Effect.provide(pool),
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
}

/** Leases a second, from now on. */
const rateFor = (time: number) =>
  Effect.gen(function*() {
    const before = (yield* Db.stats).counts.ended.success
    const from = performance.now()
    yield* Effect.sleep(time)
    return ((yield* Db.stats).counts.ended.success - before) / (performance.now() - from) * 1000
  })

const atFixed = (server: Server, size: number) =>
  underLoad(
    server,
    { maxConnections: size, sizing: undefined },
    Effect.andThen(Effect.sleep("1500 millis"), rateFor(3_000))
  )

/** The limit each second while the size is searched, and after that what it gives. */
const searched = (server: Server, start: number) =>
  underLoad(
    server,
    { maxConnections: 100, sizing: { mode: "apply", start } },
    Effect.gen(function*() {
      const limits: Array<number> = []
      const rates: Array<number> = []
      for (let second = 0; second < seconds + 15; second++) {
        rates.push(yield* rateFor(1_000))
        limits.push((yield* Db.stats).limit)
      }
      const after = limits.slice(seconds)
      const { sizing } = yield* Db.stats
      return {
        start,
        limits,
        rates,
        found: after.reduce((sum, limit) => sum + limit, 0) / after.length,
        rate: rates.slice(seconds).reduce((sum, rate) => sum + rate, 0) / after.length,
        moves: sizing!.moves.map(({ from, to, why }) => `${from} to ${to}: ${why}`)
      } satisfies Run
    })
  )

const makeRows = Effect.gen(function*() {
  yield* Db.query`CREATE TABLE slots (id int PRIMARY KEY, n bigint NOT NULL DEFAULT 0)`
  yield* Db.query`INSERT INTO slots SELECT generate_series(0, ${rows - 1}::int)`
  yield* Db.query((sql) =>
    sql.unsafe(`CREATE FUNCTION hold(slot int) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN UPDATE slots SET n = n + 1 WHERE id = slot; PERFORM pg_sleep(${held}); END $$`)
  )
})

const main = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.make({ settings: { max_connections: 120 } })
  yield* Effect.provide(makeRows, Db.layer({ url: server.url, minConnections: 0, metrics: false }))
  const fixed: Array<{ readonly size: number; readonly rate: number }> = []
  for (const size of fixedSizes) {
    const rate = yield* atFixed(server, size)
    fixed.push({ size, rate })
    yield* Console.log(`${size} connections: ${Math.round(rate)} leases a second`)
  }
  const most = Math.max(...fixed.map(({ rate }) => rate))
  // The smallest of the sizes that give the same is the best.
  const best = fixed.find(({ rate }) => rate >= 0.97 * most)!
  yield* Console.log(`best: ${best.size} connections with ${Math.round(best.rate)} leases a second`)
  const runs: Array<Run> = []
  for (const start of [5, 100]) {
    const run = yield* searched(server, start)
    runs.push(run)
    yield* Console.log(
      `from ${start}: ${run.found.toFixed(1)} connections after ${seconds} s (${
        Math.round(100 * run.found / best.size)
      } % of the best), ${Math.round(run.rate)} leases a second (${Math.round(100 * run.rate / best.rate)} %)`
    )
    yield* Console.log(run.moves.slice(-8).map((move) => `  ${move}`).join("\n"))
  }
  const record = { machine: describeMachine(), rows, held, callers, fixed, best, runs }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(record, undefined, 2)}\n`)
  if (values.picture !== undefined) writeFileSync(values.picture, pictureOf(runs, best))
}).pipe(Effect.scoped)

NodeRuntime.runMain(main)

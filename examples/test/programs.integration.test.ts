import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Effect, Redacted, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import * as PgBouncer from "../../packages/postgres/test/fixtures/pgBouncer.ts"

/** Each program, and what it says when all is well. */
const programs: ReadonlyArray<readonly [folder: string, says: ReadonlyArray<RegExp>]> = [
  ["quickstart", [
    /^visits: Ada, Grace$/m,
    /^connections: 4, idle: 4, callers that waited: \d$/m,
    /^health: healthy$/m
  ]],
  ["transactions", [/^refused: NotEnough; Grace still has 30$/m, /^Ada has 50, Grace has 51$/m]],
  ["sql-client", [/^The Art of Computer Programming$/m, /^statements so far: \d+$/m]],
  ["config-from-env", [
    /^from 2 to 4 connections, idle for 60000 ms at most$/m,
    /^callers wait 2500 ms$/m,
    /^logged in as app$/m,
    /^refused: .*\n.*POOL_MAX_CONNECTIONS/m
  ]],
  ["redis-cache", [
    /^squares: 0 1 4 9 16 25 36 49 64 81$/m,
    /^from the cache: 0, then 10$/m,
    /^allowed, allowed, allowed, too many, too many$/m
  ]],
  ["http-upstreams", [
    /^all well: a 10 b 10 c 10$/m,
    /^b fails: .*an error 3/m,
    /^left out: a 15 c 15$/m,
    /^health: degraded/m
  ]],
  ["websocket-chat", [/^in the room: 1$/m, /^heard: hello \/ anybody here\? \/ I am back$/m]],
  ["overload", [
    /^without: \d+ % of the capacity is useful/m,
    /^with Traffic: (8\d|9\d|100) % of the capacity is useful, (9[5-9]|100) % of high served$/m
  ]],
  ["per-request-transaction", [
    /^\/good: 200 thank you$/m,
    /^\/sold-out: 409 out of stock$/m,
    /^orders: 2, connections lent: 0$/m
  ]],
  ["row-level-security", [/^red sees: apples, roses$/m, /^blue sees: violets$/m, /^without a tenant: 0 rows$/m]],
  ["pool-per-tenant", [/^red: hello$/m, /^blue: hello$/m, /^red: again$/m, /^connections of red: 1$/m]],
  ["without-effect", [
    /^while the server is away: 503$/m,
    /^when it is back: 200 item 1$/m,
    /^a client went away\nand its connection is back$/m
  ]]
]

const run = (folder: string, env: Record<string, string> = {}) =>
  Effect.gen(function*() {
    const child = yield* ChildProcess.make(
      process.execPath,
      ["--conditions=@effect-pools/source", `${folder}/main.ts`],
      { cwd: fileURLToPath(new URL("..", import.meta.url)), env, extendEnv: true }
    )
    const [output, errors, code] = yield* Effect.all([
      Stream.mkString(Stream.decodeText(child.stdout)),
      Stream.mkString(Stream.decodeText(child.stderr)),
      child.exitCode
    ], { concurrency: "unbounded" })
    return { output, errors, code }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("each example runs by itself", () => {
  it.live.each(programs)("%s", ([folder, says]) =>
    Effect.gen(function*() {
      const { code, errors, output } = yield* run(folder)
      assert.strictEqual(code, 0, output + errors)
      assert.strictEqual(errors, "")
      for (const pattern of says) assert.match(output, pattern)
    }))
})

it.live("row-level-security says the same through a PgBouncer in transaction mode", () =>
  Effect.gen(function*() {
    const server = yield* EmbeddedPostgres.make()
    const bouncer = yield* PgBouncer.make(server, { pool_mode: "transaction", default_pool_size: 1 })
    const { code, errors, output } = yield* run("row-level-security", {
      DATABASE_URL: Redacted.value(server.url),
      PGBOUNCER_HOST: "127.0.0.1",
      PGBOUNCER_PORT: String(bouncer.port)
    })
    assert.strictEqual(code, 0, output + errors)
    const [, says = []] = programs.find(([folder]) => folder === "row-level-security") ?? []
    for (const pattern of says) assert.match(output, pattern)
    assert.strictEqual((yield* server.backends()).length, 1)
  }).pipe(Effect.scoped, Effect.provide(PgBouncer.installed)), 120_000)

/** The tests that pools of classes with events have, written for ours; and the page for who comes from there. */
import { NodeServices } from "@effect/platform-node"
import { type PoolStats, ResourcePool, Traffic } from "@effect-pools/core"
import { PostgresPool } from "@effect-pools/postgres"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { eventually } from "@effect-pools/testing/Eventually"
import { assert, describe, it, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

class Db extends PostgresPool.Service<Db>()("app/Db") {
  static readonly live = Layer.unwrap(Effect.map(EmbeddedPostgres.EmbeddedPostgres, ({ url }) =>
    this.layer({
      url,
      minConnections: 2,
      maxConnections: 10,
      idleTimeout: "30 seconds",
      connectTimeout: "5 seconds",
      acquireTimeout: "10 seconds",
      statementTimeout: "30 seconds"
    })))
}

const until = (what: string, is: (stats: PoolStats.PoolStats) => boolean) => eventually(what, Effect.map(Db.stats, is))

layer(Layer.provideMerge(Db.live, EmbeddedPostgres.layer()), { excludeTestServices: true, timeout: "1 minute" })(
  "a managed pool",
  (it) => {
    it.effect("executes queries", () =>
      Effect.map(Db.query<{ num: number }>`SELECT 1 AS num`, ([row]) => assert.strictEqual(row?.num, 1)))

    it.effect("handles transactions", () =>
      Effect.map(
        Db.transaction((sql) => Effect.as(sql`SELECT 1`, { success: true })),
        ({ success }) => assert.isTrue(success)
      ))

    it.effect("returns its stats", () =>
      Effect.map(Db.stats, (stats) => {
        assert.isAtLeast(stats.total, 2)
        assert.strictEqual(stats.idle + stats.used, stats.total)
      }))

    it.effect("returns its health", () =>
      Effect.map(Db.health, (health) => assert.deepInclude(health, { status: "healthy", utilization: 0 })))

    it.effect("processes queries in the order of their priorities", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const end = yield* Deferred.make<void>()
        const held = yield* Effect.forEach(Array.from({ length: 10 }), () =>
          Effect.forkChild(Db.withConnection(() => Deferred.await(end)), { startImmediately: true }))
        yield* until("all are held", ({ used }) =>
          used === 10)
        yield* Db.setLimit(1)
        const enqueue = (label: "high" | "normal" | "low") =>
          Effect.forkChild(
            Effect.andThen(
              Db.query((sql) => sql`SELECT 1`, { priority: label, label }),
              Effect.sync(() => void order.push(label))
            ),
            { startImmediately: true }
          )
        const queued = [yield* enqueue("low"), yield* enqueue("normal"), yield* enqueue("high")]
        yield* until("all wait", ({ pending }) => pending === 3)
        const { traffic } = yield* Db.stats
        assert.deepStrictEqual(traffic.pending, { high: 1, normal: 1, low: 1 })
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.joinAll([...held, ...queued])
        assert.deepStrictEqual(order, ["high", "normal", "low"])
        yield* Db.setLimit(10)
      }))

    it.effect("returns the numbers of its queue, and clears it", () =>
      Effect.gen(function*() {
        const { limit, traffic, used } = yield* Db.stats
        assert.deepStrictEqual(traffic.pending, { high: 0, normal: 0, low: 0 })
        assert.isBelow(used, limit)
        assert.strictEqual(yield* Traffic.high(Db.clear()), 0)
      }))
  }
)

interface Numbered {
  readonly id: number
}

class Resources extends ResourcePool.Service<Resources, Numbered>()("app/Resources") {}

describe("a pool of any resource", () => {
  it.effect("manages resources", () => {
    let created = 0
    let destroyed = 0
    return Effect.gen(function*() {
      assert.strictEqual(created, 2)
      yield* Resources.withConnection(({ id }) => Effect.sync(() => assert.isDefined(id)))
      assert.strictEqual((yield* Resources.stats).idle, 2)
      yield* Resources.drain
      assert.strictEqual(destroyed, 2)
    }).pipe(Effect.provide(Resources.layer({
      acquire: Effect.acquireRelease(
        Effect.sync((): Numbered => ({ id: ++created })),
        () => Effect.sync(() => void destroyed++)
      ),
      minConnections: 2,
      maxConnections: 5,
      acquireTimeout: "5 seconds",
      idleTimeout: "10 seconds"
    })))
  })
})

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("the page for who comes from classes with events", () => {
  it("has no new name that the program does not use", () => {
    const program = ["main.ts", "Pools.ts"].map((file) => read(`examples/coming-from-the-first-design/${file}`)).join()
    const rows = read("docs/coming-from/the-first-design.md").split("\n").filter((line) => /^\| .*`/.test(line))
    assert.isAbove(rows.length, 75)
    const missing = rows.flatMap((row) => namesOf(row.split(/(?<!\\)\|/)[2] ?? "")).filter((name) =>
      !new RegExp(`\\b${name}\\b`).test(program) && !elsewhere.has(name)
    )
    assert.deepStrictEqual(missing, [])
  })

  it.live(
    "is true: the program does all of it",
    () =>
      Effect.gen(function*() {
        const child = yield* ChildProcess.make(
          process.execPath,
          ["--conditions=@effect-pools/source", "coming-from-the-first-design/main.ts"],
          { cwd: fileURLToPath(new URL("..", import.meta.url)) }
        )
        const output = yield* Stream.mkString(Stream.decodeText(child.stdout))
        assert.strictEqual(yield* child.exitCode, 0, output)
        for (const line of says) assert.match(output, line)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    60_000
  )
})

/** The last words of the names in backticks. */
const namesOf = (cell: string): ReadonlyArray<string> =>
  Array.from(cell.matchAll(/`+([^`]+)`+/g)).flatMap(([, code = ""]) =>
    /^[A-Za-z]+(\.[A-Za-z]+)*$/.test(code) ? [code.split(".").at(-1)!] : []
  )

/** Told of, and not for a program that goes well. */
const elsewhere: ReadonlySet<string> = new Set([
  // For a kind of one's own: examples/own-kind.
  "Connector",
  "connect",
  "isBroken",
  "register",
  // Where a server is, for whom no URL says it.
  "host",
  "username",
  "password",
  // Part of `WebSocketProtocol.json`.
  "protocols",
  // Made when something goes wrong.
  "OpenFailed",
  "ValidateFailed",
  "AcquireTimedOut",
  "AcquiredSlowly",
  "CloseFailed",
  "QueueCleared",
  // What the program prints of its events.
  "Opened",
  "Acquired",
  "Released",
  "Retired",
  "Closed",
  "Operated",
  "WarmedUp",
  "DrainStarted",
  "Drained",
  "draining"
])

const says = [
  /^open: 2 of at most 6$/m,
  /^note: hello again, 1$/m,
  /^cache: hello, Ada; hello; 2 results$/m,
  /^statuses: 404, 200, 404$/m,
  /^realtime: \d told, heard \w+$/m,
  /^session \d: 2 in all, 2 idle, 0 used, 0 wait$/m,
  /^acquired \d+, released \d+, opened \d, closed 0$/m,
  /^failed 0, waiting 0, refused 0$/m,
  /^health: healthy, 0 warnings/m,
  /^a connection: 7 facts/m,
  /^cache is one of 5: healthy, score 100, 0 alerts$/m,
  /^streams: 3$/m,
  /^health says 5 of 5$/m,
  /^metrics: 11 of 11$/m,
  /^events: Acquired, Closed, DrainStarted, Drained, Operated, (Opened, )?Released, Retired, WarmedUp$/m
]

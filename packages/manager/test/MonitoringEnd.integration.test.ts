import { Monitoring, MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { spawn } from "node:child_process"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { act, ask, Cache, Db, decode, isolated, managed, monitored, pools } from "./support.ts"

const program = fileURLToPath(new URL("./fixtures/monitoredProgram.ts", import.meta.url))

const run = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: URL; readonly end: Effect.Effect<number | string>; readonly stop: () => void }>(
      (resume) => {
        let output = ""
        const child = spawn(process.execPath, ["--conditions=@effect-pools/source", program, ...args])
        const ended = new Promise<number | string>((resolve) =>
          child.on("exit", (code, signal) => resolve(code ?? signal ?? ""))
        )
        child.stderr.on("data", (data) => output += String(data))
        child.stdout.on("data", (data) => {
          output += String(data)
          const [, url] = /URL (\S+)\n/.exec(output) ?? []
          if (url !== undefined) {
            resume(
              Effect.succeed({ url: new URL(url), end: Effect.promise(() => ended), stop: () => void child.kill() })
            )
          }
        })
        child.on("exit", () => resume(Effect.die(new Error(output))))
      }
    ),
    ({ stop }) => Effect.sync(stop)
  )

/** A client that sends so much, and then nothing or a byte now and then. */
const client = (url: URL, begin: string, drips: boolean) =>
  Effect.acquireRelease(
    Effect.callback<() => void>((resume) => {
      const socket = connect(Number(url.port), url.hostname, () => {
        if (begin !== "") socket.write(begin)
        resume(Effect.succeed(() => {
          clearInterval(timer)
          socket.destroy()
        }))
      })
      socket.on("error", () => {})
      const timer = setInterval(() => drips && socket.writable && socket.write("a"), 200)
    }),
    (close) => Effect.sync(close)
  )

const status = (url: URL) =>
  Effect.promise(() => fetch(url, { headers: { connection: "close" } }).then(({ status }) => status, () => "refused"))

describe("the end of a program that is monitored", () => {
  it.live.each<readonly [string, string, boolean]>([
    ["says nothing", "", false],
    ["sends half a header, byte by byte", "GET /live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", true],
    ["reads a stream", "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", false]
  ])("does not wait for a client that %s", ([, begin, drips]) =>
    Effect.gen(function*() {
      const { end, url } = yield* run()
      yield* client(url, begin, drips)
      const [took, code] = yield* Effect.timed(end)
      assert.strictEqual(code, 0)
      assert.isBelow(Duration.toMillis(took), 6000)
    }).pipe(Effect.scoped))

  it.live.each<readonly [string, string, string]>([
    ["its pools drain", "3000", "stay"],
    ["what is released before its pools takes its time", "0", "slow"]
  ])(
    "says on /ready that it takes no callers while %s, and answers all else",
    ([, held, how]) =>
      Effect.gen(function*() {
        const { end, stop, url } = yield* run(held, how)
        assert.strictEqual(yield* status(new URL("ready", url)), 200)
        stop()
        yield* Effect.sleep("500 millis")
        for (let time = 0; time < 3; time++) {
          assert.strictEqual(yield* status(new URL("ready", url)), 503)
          assert.strictEqual(yield* status(new URL("live", url)), 200)
          assert.strictEqual(yield* status(new URL("metrics", url)), 200)
          yield* Effect.sleep("200 millis")
        }
        yield* end
      }).pipe(Effect.scoped)
  )
})

const build = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    return { context: yield* Layer.buildWithScope(layer, scope), close: Scope.close(scope, Exit.void) }
  })

describe("a server whose manager goes on", () => {
  it.live("makes room for the next, and is closed after the manager's drainTimeout", () =>
    Effect.gen(function*() {
      const manager = yield* build(
        managed(pools().layer, { drainTimeout: "2 seconds" }).pipe(Layer.provideMerge(isolated))
      )
      const serve = (port: number) =>
        Effect.scoped(Effect.provide(
          Effect.map(Layer.build(Monitoring.layer({ port })), () => {}),
          manager.context
        ))
      const first = yield* build(Layer.provide(Monitoring.layer({ port: 0 }), Layer.succeedContext(manager.context)))
      const url = yield* Effect.provide(Effect.map(Monitoring.Address, ({ url }) => new URL(url)), first.context)
      yield* first.close
      assert.strictEqual(yield* status(new URL("ready", url)), 503)
      yield* serve(Number(url.port))
      assert.strictEqual(yield* status(new URL("ready", url)), 503)
      yield* Effect.sleep("3 seconds")
      assert.strictEqual(yield* status(new URL("ready", url)), "refused")
      yield* manager.close
    }).pipe(Effect.scoped))
})

describe("an action that takes long", () => {
  const world = monitored({ heartbeat: "100 millis" }).pipe(
    Layer.provideMerge(
      managed(pools({ db: { drainTimeout: "1 minute" }, cache: { connectTimeout: "1 minute" } }).layer, {
        drainTimeout: "1 second"
      })
    ),
    Layer.provideMerge(isolated)
  )

  it.live("a drain shows signs of life until its answer comes", () =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(Db.withConnection(() => Effect.sleep("1 second")), { startImmediately: true })
      const { url } = yield* Monitoring.Address
      const chunks = yield* Effect.promise(async () => {
        const response = await fetch(`${url}pools/app%2FDb/drain`, {
          method: "POST",
          headers: { authorization: "Bearer a-token-for-the-tests" }
        })
        assert.deepStrictEqual([response.status, response.headers.get("content-type")], [200, "application/json"])
        const chunks: Array<string> = []
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) chunks.push(chunk)
        return chunks
      })
      assert.isAtLeast(chunks.filter((chunk) => chunk.trim() === "").length, 5)
      const body = { status: 200, headers: new Headers(), body: chunks.join("") }
      const { action, report } = decode(MonitoringApi.Drained, body)
      assert.deepStrictEqual([action, report.returned, report.abandoned], ["drain", 1, []])
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.live("one that fails at once has its status, and one that fails late says so in the body", () =>
    Effect.gen(function*() {
      yield* Cache.drain
      assert.strictEqual((yield* act("pools/app%2FCache/warm-up")).status, 409)
      yield* Effect.forkScoped(Db.withConnection(() => Effect.sleep("500 millis")), { startImmediately: true })
      const draining = yield* Effect.forkScoped(Db.drain, { startImmediately: true })
      const late = yield* act("pools/app%2FDb/pause")
      assert.strictEqual(late.status, 409)
      yield* Fiber.join(draining)
      assert.strictEqual((yield* ask("pools/app%2FDb")).status, 200)
    }).pipe(Effect.scoped, Effect.provide(world)))
})

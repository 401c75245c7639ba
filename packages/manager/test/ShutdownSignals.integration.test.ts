import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly says: (text: string) => Effect.Effect<void>
  /** The exit code, or the signal that ended it. */
  readonly ended: Effect.Effect<number | string>
}

const run = (drainTimeout: number, how: "runMain" | "managedRuntime" = "runMain") =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      let output = ""
      let exit: number | string | undefined
      const program = fileURLToPath(new URL("./fixtures/holding.ts", import.meta.url))
      const child = spawn(process.execPath, ["--conditions=@effect-pools/source", program, String(drainTimeout), how])
      child.stdout.on("data", (data) => output += String(data))
      child.stderr.on("data", (data) => output += String(data))
      child.on("exit", (code, signal) => exit = code ?? signal ?? "")
      const says = (text: string) =>
        Effect.repeat(
          Effect.suspend(() =>
            exit === undefined || output.includes(text) ? Effect.sleep("10 millis") : Effect.die(new Error(output))
          ),
          { until: () => output.includes(text) }
        )
      const ended = Effect.suspend(() =>
        Effect.as(Effect.repeat(Effect.sleep("10 millis"), { until: () => exit !== undefined }), 0)
      ).pipe(Effect.map(() => exit ?? ""))
      return { child, output: () => output, says, ended }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe("signals", () => {
  it.live.each([["SIGTERM", 143], ["SIGINT", 130]] as const)(
    "a second %s ends a drain that is stuck",
    ([signal, code]) =>
      Effect.gen(function*() {
        const { child, ended, output, says } = yield* run(10 * 60_000)
        yield* says("ready")
        child.kill(signal)
        yield* says("DrainStarted")
        yield* Effect.sleep("600 millis")
        assert.isNull(child.exitCode)
        child.kill(signal)
        assert.strictEqual(yield* ended, code)
        assert.include(output(), `${signal} came a second time`)
      }).pipe(Effect.scoped)
  )

  it.live("one signal is enough: the drain ends in time and says who held what", () =>
    Effect.gen(function*() {
      const { child, ended, output, says } = yield* run(300)
      yield* says("ready")
      child.kill("SIGTERM")
      assert.strictEqual(yield* ended, 130)
      assert.include(output(), "drained 2 pools")
      assert.match(output(), /app\/Stuck: held by the night job \(connection 1, \d+ ms\)/)
    }).pipe(Effect.scoped))

  it.live.each([["SIGINT", "SIGINT"], ["SIGINT", "SIGTERM"], ["SIGTERM", "SIGTERM"]] as const)(
    "one stop that arrives twice, as %s and %s, is one",
    ([first, second]) =>
      Effect.gen(function*() {
        const { child, ended, output, says } = yield* run(1000)
        yield* says("ready")
        child.kill(first)
        yield* says("DrainStarted")
        yield* Effect.sleep("100 millis")
        child.kill(second)
        assert.strictEqual(yield* ended, 130)
        assert.include(output(), "drained 2 pools")
        assert.notInclude(output(), "came a second time")
      }).pipe(Effect.scoped)
  )

  it.live("a program that does not handle its signals is ended by the first, and told why", () =>
    Effect.gen(function*() {
      const { child, ended, output, says } = yield* run(1000, "managedRuntime")
      yield* says("ready")
      child.kill("SIGTERM")
      assert.strictEqual(yield* ended, "SIGTERM")
      assert.include(output(), "nobody handles SIGTERM: the process ends without draining its pools")
    }).pipe(Effect.scoped))
})

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

const program = fileURLToPath(new URL("./fixtures/holding.ts", import.meta.url))

const run = (drainTimeout: number) =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      let output = ""
      let exit: number | string | undefined
      const child = spawn(process.execPath, ["--conditions=@effect-pools/source", program, String(drainTimeout)])
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
})

/** The voice terminal as a program of its own, and what it says when it ends. */
import { assert } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

const Counted = {
  leases: Schema.Int,
  failures: Schema.Int,
  opened: Schema.Int,
  closed: Schema.Int,
  peakConnections: Schema.Int
}

const Summary = Schema.fromJsonString(Schema.Struct({
  ...Counted,
  turns: Schema.Int,
  lost: Schema.Int,
  drainMillis: Schema.Finite,
  pools: Schema.Record(
    Schema.String,
    Schema.Struct({
      ...Counted,
      acquireP95: Schema.Finite,
      validateP95: Schema.Finite,
      utilization: Schema.Int,
      lifetimeSeconds: Schema.Int,
      failedDials: Schema.Finite,
      avgQueryTime: Schema.Finite
    })
  )
}))

export const start = (...args: ReadonlyArray<string>) =>
  ChildProcess.make(
    process.execPath,
    ["--conditions=@effect-pools/source", "voice-terminal/main.ts", ...args],
    { cwd: fileURLToPath(new URL("..", import.meta.url)) }
  )

const lines = (output: string) => output.trim().split("\n")

export const summaryOf = (output: string) => Schema.decodeUnknownEffect(Summary)(lines(output).at(-1))

/** Runs it to its end, which must be a good one. */
export const finished = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const job = yield* start(...args)
  const output = yield* Stream.mkString(Stream.decodeText(job.stdout))
  assert.strictEqual(yield* job.exitCode, 0, output)
  return { output, summary: yield* summaryOf(output) }
})

import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

describe("the README", () => {
  it.live("its program runs as pasted, by the line that starts its servers", () =>
    Effect.gen(function*() {
      const readme = readFileSync(`${root}README.md`, "utf8")
      const program = /## A program\n+```ts\n([^]*?)\n```/.exec(readme)?.[1]
      assert.isDefined(program)
      assert.include(readme, "npm run servers -- node first.ts")
      // Below the root, as in a clone.
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const made = `${root}.cache/readme-${process.pid}/`
          mkdirSync(made, { recursive: true })
          writeFileSync(`${made}first.ts`, program!)
          return made
        }),
        (made) => Effect.sync(() => rmSync(made, { recursive: true }))
      )
      const servers = yield* ChildProcess.make(
        process.execPath,
        [
          "--conditions=@effect-pools/source",
          "examples/servers/main.ts",
          process.execPath,
          `${folder}first.ts`
        ],
        { cwd: root }
      )
      const [out, err] = yield* Effect.all([
        Stream.mkString(Stream.decodeText(servers.stdout)),
        Stream.mkString(Stream.decodeText(servers.stderr))
      ], { concurrency: 2 })
      assert.strictEqual(yield* servers.exitCode, 0, `${out}${err}`)
      assert.match(out, /^Ada healthy 100$/m)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 60_000)
})

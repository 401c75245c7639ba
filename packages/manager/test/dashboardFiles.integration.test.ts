import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "vite"
import { readDashboard } from "../src/internal/dashboardFiles.ts"
import { buildDashboard } from "./fixtures/dashboardBuild.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "dashboard-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

const bodyOf = (response: HttpServerResponse.HttpServerResponse | undefined) =>
  Effect.promise(() => HttpServerResponse.toWeb(response!).text())

describe("the files of the dashboard", () => {
  it.live("are those of the folder that a page may have, each with its type", () =>
    Effect.gen(function*() {
      const from = yield* folder
      yield* Effect.promise(async () => {
        await mkdir(join(from, "assets"))
        await writeFile(join(from, "index.html"), "<!doctype html>page")
        await writeFile(join(from, "assets", "app-1a2b.js"), "let a")
        await writeFile(join(from, "icon.svg"), "<svg/>")
        await writeFile(join(from, ".env"), "SECRET=1")
        await writeFile(join(from, "notes.txt"), "not for the page")
        await symlink("/etc/hostname", join(from, "linked.json"))
      })
      const files = yield* readDashboard(from)
      assert.deepStrictEqual(Array.from(files.keys()).toSorted(), ["/", "/assets/app-1a2b.js", "/icon.svg"])
      const page = files.get("/")
      const script = files.get("/assets/app-1a2b.js")
      assert.strictEqual(yield* bodyOf(page), "<!doctype html>page")
      assert.deepStrictEqual(
        [page?.headers["content-type"], page?.headers["cache-control"]],
        ["text/html; charset=utf-8", "no-cache"]
      )
      assert.deepStrictEqual(
        [script?.headers["content-type"], script?.headers["cache-control"]],
        ["text/javascript; charset=utf-8", "public, max-age=31536000, immutable"]
      )
      assert.isString(script?.headers["content-security-policy"])
    }).pipe(Effect.scoped))

  it.live.each(["empty", "missing"])("that are %s give a page that says so", (kind) =>
    Effect.gen(function*() {
      const from = yield* folder
      const files = yield* readDashboard(kind === "missing" ? join(from, "nowhere") : from)
      assert.deepStrictEqual(Array.from(files.keys()), ["/"])
      assert.strictEqual(files.get("/")?.status, 404)
      assert.include(yield* bodyOf(files.get("/")), "The dashboard is not built")
    }).pipe(Effect.scoped))
})

describe("a program that was bundled", () => {
  /** As one file, away from the packages it was made of. */
  const bundle = (into: string) =>
    Effect.promise(async () => {
      await buildDashboard()
      await build({
        configFile: false,
        logLevel: "error",
        ssr: { noExternal: true, resolve: { conditions: ["@effect-pools/source", "module", "node"] } },
        build: {
          ssr: fileURLToPath(new URL("./fixtures/monitoredProgram.ts", import.meta.url)),
          outDir: into,
          emptyOutDir: false,
          minify: false,
          rollupOptions: { output: { entryFileNames: "program.mjs" } }
        }
      })
    })

  it.live("has the dashboard with it", () =>
    Effect.gen(function*() {
      const into = yield* folder
      yield* bundle(into)
      const url = yield* Effect.acquireRelease(
        Effect.callback<{ readonly url: string; readonly stop: () => void }>((resume) => {
          let output = ""
          const child = spawn(process.execPath, [join(into, "program.mjs"), "0", "stay"], { cwd: into })
          child.stderr.on("data", (data) => output += String(data))
          child.stdout.on("data", (data) => {
            output += String(data)
            const [, url] = /URL (\S+)\n/.exec(output) ?? []
            if (url !== undefined) resume(Effect.succeed({ url, stop: () => void child.kill("SIGKILL") }))
          })
          child.on("exit", () => resume(Effect.die(new Error(output))))
        }),
        ({ stop }) => Effect.sync(stop)
      )
      const read = (path: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${url.url}${path}`)
          return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
        })
      const page = yield* read("")
      assert.deepStrictEqual([page.status, page.type], [200, "text/html; charset=utf-8"])
      const [, script = ""] = /src="\.\/(assets\/[^"]+\.js)"/.exec(page.body) ?? []
      const { body, status, type } = yield* read(script)
      assert.deepStrictEqual([status, type], [200, "text/javascript; charset=utf-8"])
      assert.isAbove(body.length, 50_000)
    }).pipe(Effect.scoped))
})

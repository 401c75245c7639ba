import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readDashboard } from "../src/internal/dashboardFiles.ts"

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

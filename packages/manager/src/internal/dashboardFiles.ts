/**
 * The files of the dashboard, read once: a fixed set, so that no path of a request ever reaches the file system.
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { readdir, readFile } from "node:fs/promises"
import { extname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { securityHeaders } from "./reply.ts"

type Response = HttpServerResponse.HttpServerResponse

/** The same from `src/internal` and from `dist/internal`. */
const folder = fileURLToPath(new URL("../../dashboard/dist", import.meta.url))

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2"
}

/**
 * Each file by its path below the page, the page itself as `/`. They come from a module, which is there in a program that
 * was bundled as well; or from the folder, where there is none.
 */
export const readDashboard = (from?: string): Effect.Effect<ReadonlyMap<string, Response>> =>
  (from === undefined ? Effect.catch(embedded, () => inFolder(folder)) : inFolder(from)).pipe(
    Effect.map((files) => new Map(files.filter(([file]) => types[extname(file)] !== undefined).map(served))),
    Effect.filterOrElse((files) => files.has("/"), () => Effect.succeed(notBuilt)),
    Effect.orElseSucceed(() => notBuilt)
  )

/** A path, and what is there. */
type File = readonly [path: string, body: Uint8Array]

const embedded: Effect.Effect<ReadonlyArray<File>, unknown> = Effect.map(
  Effect.tryPromise(() => import("#dashboard")),
  ({ default: { base64, text } }) => [
    ...Object.entries(text).map(([path, body]): File => [path, Buffer.from(body, "utf8")]),
    ...Object.entries(base64).map(([path, body]): File => [path, Buffer.from(body, "base64")])
  ]
)

const inFolder = (from: string): Effect.Effect<ReadonlyArray<File>, unknown> =>
  Effect.tryPromise(() => readdir(from, { recursive: true, withFileTypes: true })).pipe(
    Effect.flatMap((entries) =>
      Effect.forEach(entries.filter((entry) => entry.isFile() && types[extname(entry.name)] !== undefined), (entry) => {
        const file = join(entry.parentPath, entry.name)
        const path = relative(from, file).split(sep).join("/")
        return Effect.map(Effect.tryPromise(() => readFile(file)), (body): File => [path, body])
      })
    )
  )

const served = ([path, body]: File): readonly [string, Response] => {
  // The names of the files in `assets` tell their content.
  const cache = path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache"
  const response = HttpServerResponse.uint8Array(body, {
    contentType: types[extname(path)],
    headers: { ...securityHeaders, "cache-control": cache }
  })
  return [path === "index.html" ? "/" : `/${path}`, response]
}

const notBuilt: ReadonlyMap<string, Response> = new Map([[
  "/",
  HttpServerResponse.html(
    "<!doctype html><html lang=\"en\"><title>Connection pools</title><h1>The dashboard is not built</h1>" +
      "<p>Its files are missing from the package. In the repository <code>npm run build</code> makes them.</p>" +
      "<p>The numbers are at <a href=\"pools\">pools</a>, <a href=\"health\">health</a> and " +
      "<a href=\"metrics\">metrics</a>.</p></html>"
  ).pipe(HttpServerResponse.setStatus(404), HttpServerResponse.setHeaders(securityHeaders))
]])

/**
 * Two copies of `effect` in one tree compile, and then fail at run time in ways that are hard to read: a service
 * provided with one copy is not found with the other. This fails when a second one is installed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const single = ["effect", "@effect/platform-node-shared", "@effect/platform-node", "@effect/sql-pg", "@effect/vitest"]

const root = fileURLToPath(new URL("../", import.meta.url))

const versionOf = (folder: string): string =>
  (JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { version: string }).version

/** Every copy of the package below a `node_modules`, with its path. */
function* copies(folder: string, name: string): Generator<readonly [path: string, version: string]> {
  const modules = `${folder}/node_modules`
  if (!existsSync(modules)) return
  if (existsSync(`${modules}/${name}/package.json`)) yield [`${modules}/${name}`, versionOf(`${modules}/${name}`)]
  for (const entry of readdirSync(modules, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith(".")) continue
    const packages = entry.name.startsWith("@")
      ? readdirSync(`${modules}/${entry.name}`, { withFileTypes: true })
        .filter((child) => child.isDirectory())
        .map((child) => `${entry.name}/${child.name}`)
      : [entry.name]
    for (const child of packages) yield* copies(`${modules}/${child}`, name)
  }
}

const workspaces = [root, `${root}examples`, ...readdirSync(`${root}packages`).map((name) => `${root}packages/${name}`)]

let failed = false
for (const name of single) {
  const found = workspaces.flatMap((workspace) => Array.from(copies(workspace.replace(/\/$/, ""), name)))
  if (found.length === 1 || (found.length === 0 && name !== "effect")) continue
  failed = true
  process.stderr.write(`There must be one copy of ${name}, there are ${found.length}:\n`)
  for (const [path, version] of found) process.stderr.write(`  ${version} in ${path.slice(root.length)}\n`)
}
process.exitCode = failed ? 1 : 0

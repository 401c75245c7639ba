/**
 * Does what "Getting started" says, in an empty folder: packs the packages, installs them, writes the files that the page
 * shows, checks their types, and runs the test and the server of them on the lowest Node that is supported and on that of
 * this repository. `npm run check:packed`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))
const text = readFileSync(`${root}docs/guide/getting-started.md`, "utf8")
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  readonly engines: { readonly node: string }
}

/** The files that the page shows, by their names. */
const files = [...text.matchAll(/^```(?:ts|json) \[(.+?)\]\n(.*?)^```$/gms)].map(([, name = "", code = ""]) => ({
  name,
  code
}))

/** The commands that it tells to install with. */
const installs = [...text.matchAll(/^npm install (?:.*\\\n)*.*$/gm)].map(([command]) => command)

// `npm ci` has fetched most of it just now.
const quick = { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_fund: "false" }

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): void => {
  process.stdout.write(`> ${command} ${args.join(" ")}\n`)
  const env = { ...process.env, ...quick }
  const { status } = spawnSync(command, args, { cwd, env, stdio: "inherit", timeout: 180_000 })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`)
}

/** The lowest Node that the packages support, from its npm package. */
const lowestNode = (): string => {
  const version = manifest.engines.node.replace(/^>=/, "")
  const folder = `${root}.cache/node-${version}`
  const binary = `${folder}/node_modules/node/bin/node`
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    run(folder, "npm", "install", "--silent", "--prefix", folder, `node@${version}`)
  }
  return binary
}

const prepare = (folder: string): void => {
  if (files.length === 0 || installs.length < 2) throw new Error("the page shows no files, or they were not found")
  run(root, "npm", "run", "--silent", "pack")
  run(folder, "npm", "init", "-y", "--silent")
  run(folder, "npm", "pkg", "set", "type=module")
  for (const command of installs) {
    run(folder, "bash", "-c", command.replace("../effect-pools/packed/", `${root}packed/`))
  }
  for (const { code, name } of files) writeFileSync(join(folder, name), code)
  run(folder, "npx", "tsc")
}

/** Runs a program until its output has a line that `pattern` matches. */
const started = async (child: ChildProcess, pattern: RegExp): Promise<string> => {
  let output = ""
  child.stdout?.on("data", (chunk) => output += String(chunk))
  child.stderr?.on("data", (chunk) => output += String(chunk))
  for (let waited = 0; waited < 60_000; waited += 50) {
    const found = pattern.exec(output)
    if (found !== null) return found[0]
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`)
    await setTimeout(50)
  }
  throw new Error(`it did not say ${pattern}: ${output}`)
}

const stopped = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null) return resolve(child.exitCode)
    child.on("exit", resolve)
    child.kill("SIGTERM")
  })

const expect = (what: string, found: unknown, wanted: unknown): void => {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return
  throw new Error(`${what} is ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`)
}

/** The server that the page shows, asked as a client and a probe would. */
const serve = async (node: string, folder: string, url: string): Promise<void> => {
  const env = { ...process.env, DATABASE_URL: url, PORT: "3917", MONITORING_PORT: "3918" }
  const server = spawn(node, ["main.ts"], { cwd: folder, env })
  try {
    await started(server, /Listening on .*3917/)
    expect("the user", await (await fetch("http://127.0.0.1:3917/users/1")).json(), { id: 1, name: "Ada" })
    expect("the status of nobody", (await fetch("http://127.0.0.1:3917/users/99")).status, 404)
    expect("readiness", (await fetch("http://127.0.0.1:3918/ready")).status, 200)
    const metrics = await (await fetch("http://127.0.0.1:3918/metrics")).text()
    expect("the pool in the metrics", metrics.includes("db_pool_connections{pool=\"shop/PrimaryDb\"}"), true)
  } finally {
    expect("the end by SIGTERM", [0, 130, 143].includes(await stopped(server) ?? -1), true)
  }
}

const folder = mkdtempSync(join(tmpdir(), "effect-pools-"))
let database: ChildProcess | undefined
try {
  prepare(folder)
  const lowest = lowestNode()
  database = spawn(lowest, ["database.ts"], { cwd: folder })
  const url = await started(database, /postgres(?:ql)?:\/\/\S+/)
  for (const node of [lowest, process.execPath]) {
    run(folder, node, "--version")
    run(folder, node, "node_modules/vitest/vitest.mjs", "run")
    await serve(node, folder, url)
  }
  process.stdout.write(`the files of "Getting started" run from packed packages\n`)
} finally {
  if (database !== undefined) await stopped(database)
  rmSync(folder, { recursive: true, force: true })
}

/**
 * Builds the site into docs/dist: pages made of the sources, the pages of `docs` and of the packages, and the API reference
 * below `/api/`; then follows every link of it. `npm run docs`.
 */
import { spawn } from "node:child_process"
import { cpSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { check } from "./site/checkLinks.ts"

const root = fileURLToPath(new URL("../", import.meta.url)).replace(/\/$/, "")

const run = (command: string, ...args: ReadonlyArray<string>): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit" })
    child.on("error", reject)
    child.on("exit", (code) => code === 0 ? resolve() : reject(new Error(`${command} ${args[0]} failed with ${code}`)))
  })

const pages = async (): Promise<void> => {
  await run("node", "--conditions=@effect-pools/source", "scripts/site/generate.ts")
  await run("vitepress", "build", "docs")
}

rmSync(`${root}/docs/dist`, { recursive: true, force: true })
await Promise.all([pages(), run("npm", "run", "--silent", "build", "--workspace", "docs/api")])
cpSync(`${root}/docs/api/dist`, `${root}/docs/dist/api`, { recursive: true })

const { broken, links, pages: count } = check(root, `${root}/docs/dist`)
for (const line of broken) process.stdout.write(`${line}\n`)
process.stdout.write(`${count} pages, ${links} links, ${broken.length} broken\n`)
process.exitCode = broken.length === 0 ? 0 : 1

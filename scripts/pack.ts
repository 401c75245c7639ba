/** Builds the packages and packs them into `packed/`, for programs elsewhere. `npm run pack`. */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { published } from "./published.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

const folders = published(root)
run("tsc", "-b", ...folders)
run("npm", "run", "--silent", "build:dashboard")
rmSync(`${root}packed`, { recursive: true, force: true })
mkdirSync(`${root}packed`)
run("npm", "pack", "--silent", "--pack-destination", "packed", ...folders.map((folder) => `./${folder}`))

/** Builds the packages that are published, and checks what would be published. `npm run build`. */
import { spawnSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { materials } from "./materials.ts"
import { published } from "./published.ts"

const root = fileURLToPath(new URL("../", import.meta.url))
const folders = published(root)

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  process.stdout.write(`\n> ${command} ${args.join(" ")}\n`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

// What an older build left behind must not be published.
for (const folder of folders) rmSync(`${root}${folder}/dist`, { recursive: true, force: true })
run("tsc", "-b", ...folders)
run("npm", "run", "build:dashboard")
for (const folder of folders) {
  writeFileSync(`${root}${folder}/dist/sbom.cdx.json`, `${JSON.stringify(materials(folder), null, 2)}\n`)
  run("publint", "--strict", folder)
  run("attw", "--pack", folder, "--profile", "esm-only")
}

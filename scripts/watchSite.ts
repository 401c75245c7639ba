/** Shows the site while one writes: `npm run docs:watch`. The API reference is not part of it. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const cwd = fileURLToPath(new URL("../", import.meta.url))

spawnSync("node", ["--conditions=@effect-pools/source", "scripts/site/generate.ts"], { cwd, stdio: "inherit" })
spawnSync("vitepress", ["dev", "docs"], { cwd, stdio: "inherit" })

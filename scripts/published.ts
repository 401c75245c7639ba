/** The folders of the packages that are published. */
import { readdirSync, readFileSync } from "node:fs"

export const published = (root: string): ReadonlyArray<string> =>
  readdirSync(`${root}packages`)
    .map((name) => `packages/${name}`)
    .filter((folder) => {
      const manifest = JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8")) as { private?: boolean }
      return manifest.private !== true
    })

/** The changelog: what was released, and before it the changes that wait for the next release. */
import { existsSync, globSync, readFileSync } from "node:fs"

const released = (root: string): string => {
  const file = `${root}/packages/core/CHANGELOG.md`
  // All packages have one version, so one of their logs names every release.
  return existsSync(file) ? readFileSync(file, "utf8").replace(/^# .*\n/, "") : "\nNothing is released yet.\n"
}

const waiting = (root: string): ReadonlyArray<string> =>
  globSync(".changeset/*.md", { cwd: root }).filter((file) => !file.endsWith("README.md")).toSorted().map((file) => {
    const [, head = "", text = ""] = /^---\n(.*?)\n---\n(.*)$/s.exec(readFileSync(`${root}/${file}`, "utf8")) ?? []
    const packages = [...head.matchAll(/"@effect-pools\/(\w+)"/g)].map(([, name]) => name).join(", ")
    const [first = "", ...rest] = text.trim().split("\n")
    return `- **${packages}**: ${first}\n${rest.map((line) => line === "" ? "" : `  ${line}`).join("\n")}`
  })

export const text = (root: string): string =>
  `## Changes since the last release\n\n${waiting(root).join("\n\n")}\n\n## Releases\n${released(root)}`

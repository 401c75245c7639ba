/**
 * Each link of a page to a file of the repository leads to one. The build of the site follows links to headings as well, but
 * takes longer than who moves a file should wait for. Part of `npm run check`.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const pages = globSync(["*.md", "docs/**/*.md", "{packages,examples}/*/README.md", "examples/README.md"], {
  cwd: root,
  exclude: (name) => /node_modules|(^|\/)(generated|dist)$/.test(name)
})

const withoutCode = (text: string): string => text.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "")

const broken = pages.flatMap((page) =>
  [...withoutCode(readFileSync(join(root, page), "utf8")).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
    const [path = ""] = link.split("#")
    if (path === "" || /^([a-z]+:|\/)/.test(path)) return []
    return existsSync(join(root, dirname(page), decodeURI(path))) ? [] : [`${page}: there is no ${path}`]
  })
)
for (const line of broken) process.stdout.write(`${line}\n`)
process.exitCode = pages.length > 20 && broken.length === 0 ? 0 : 1

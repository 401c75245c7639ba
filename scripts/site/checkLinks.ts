/**
 * Follows every link of the built site: to a page, to a heading on it, to a file of the repository. What leads to other
 * sites is left alone: CI has no network that could be relied on. For the same reason the site loads nothing from elsewhere,
 * its search included.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

interface Checked {
  readonly pages: number
  readonly links: number
  readonly broken: ReadonlyArray<string>
}

const unescaped = (text: string): string =>
  text.replaceAll("&amp;", "&").replaceAll("&#39;", "'").replaceAll("&quot;", "\"")

const linksOf = (html: string): ReadonlyArray<string> =>
  [...html.matchAll(/<(?:a|img|link|script|source)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].map(([, href = ""]) =>
    unescaped(href)
  )

const idsOf = (html: string): ReadonlySet<string> =>
  new Set([...html.matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id = ""]) => unescaped(id)))

export const check = (root: string, site: string): Checked => {
  const files = globSync("**/*.html", { cwd: site })
  const html = new Map(files.map((file) => [file, readFileSync(join(site, file), "utf8")]))
  const ids = new Map<string, ReadonlySet<string>>()
  const idsIn = (file: string): ReadonlySet<string> => {
    const known = ids.get(file) ?? idsOf(html.get(file) ?? "")
    ids.set(file, known)
    return known
  }
  let links = 0
  const broken: Array<string> = []
  for (const [file, text] of html) {
    for (const href of new Set(linksOf(text))) {
      links++
      const why = problemOf(root, site, file, href, idsIn)
      if (why !== undefined) broken.push(`${file}: ${href} ${why}`)
    }
  }
  return { pages: files.length, links, broken: [...broken, ...loadedFromElsewhere(html), ...notFound(site)] }
}

/** Scripts, styles and pictures of other sites. */
const loadedFromElsewhere = (html: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...html].flatMap(([file, text]) =>
    [...text.matchAll(/<(?:img|link|script|source)\b[^>]*?\s(?:href|src)="((?:https?:)?\/\/[^"]*)"/g)].map(([, from]) =>
      `${file}: loads ${from}`
    )
  )

/** Texts that the search must find, by the place that they lead to. */
const places = [
  "/options/postgres.html#acquiretimeout",
  "/guide/troubleshooting.html#callers-time-out",
  "/moving/ws.html#"
]

const notFound = (site: string): ReadonlyArray<string> => {
  const index = globSync("assets/**/*localSearchIndex*.js", { cwd: site })
    .map((file) => readFileSync(join(site, file), "utf8")).join("")
  return places.filter((place) => !index.includes(place)).map((place) => `search: does not find ${place}`)
}

const inRepository = /^https:\/\/github\.com\/effect-pools\/effect-pools\/(?:blob|tree)\/main\/([^#]*)/

const problemOf = (
  root: string,
  site: string,
  file: string,
  href: string,
  idsIn: (file: string) => ReadonlySet<string>
): string | undefined => {
  const inside = inRepository.exec(href)?.[1]
  if (inside !== undefined) return existsSync(join(root, decodeURI(inside))) ? undefined : "is not in the repository"
  if (/^([a-z]+:|\/\/)/.test(href)) return undefined
  const [path = "", hash] = href.split("#")
  const target = path === "" ? file : fileAt(site, path.startsWith("/") ? path.slice(1) : join(dirname(file), path))
  if (target === undefined) return "leads nowhere"
  if (hash === undefined || hash === "" || !target.endsWith(".html")) return undefined
  return idsIn(target).has(decodeURIComponent(hash)) ? undefined : "has no such heading"
}

/** As a server of files answers: `/a` and `/a/` are `a.html` or `a/index.html`. */
const fileAt = (site: string, path: string): string | undefined => {
  const plain = decodeURI(path).replace(/\/$/, "")
  return [path, `${plain}.html`, join(plain, "index.html")].find((file) =>
    /\.[a-z0-9]+$/i.test(file) && existsSync(join(site, file))
  )
}

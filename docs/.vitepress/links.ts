/**
 * Links of the pages. They are written as they work in the repository, from file to file; on the site they lead to the
 * page of the file, and where it has none to the repository.
 */
import { existsSync, statSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import type { MarkdownEnv, MarkdownOptions } from "vitepress"
import { pathOf } from "./pages.ts"

type MarkdownIt = Parameters<NonNullable<MarkdownOptions["config"]>>[0]

const repository = "https://github.com/effect-pools/effect-pools"

/** A link of the file at `source`, as it is on the site. */
export const onSite = (root: string, source: string, href: string): string => {
  if (/^([a-z]+:|#|\/)/.test(href)) return href
  const [path = "", hash] = href.split("#")
  const file = normalize(join(dirname(source), decodeURI(path))).replace(/^\.$/, "")
  const anchor = hash === undefined ? "" : `#${hash}`
  const page = pathOf(file)
  if (page !== undefined) return page === "index" ? `/${anchor}` : `/${page}${anchor}`
  if (file.startsWith("docs/public/")) return `/${file.slice("docs/public/".length)}`
  if (!existsSync(`${root}/${file}`)) throw new Error(`${source} links to ${href}, and there is no ${file}`)
  return `${repository}/${statSync(`${root}/${file}`).isDirectory() ? "tree" : "blob"}/main/${file}${anchor}`
}

/** The bundler takes a picture along whose path begins with a dot. */
const withDot = (html: string): string => html.replaceAll(/\b(src|srcset)="(?![a-z]+:|[./#])/g, "$1=\"./")

/** Rewrites the links of each page before they are rendered. */
export const rewriteLinks = (root: string) => (md: MarkdownIt): void => {
  md.core.ruler.push("links between files", (state) => {
    const { path, realPath } = state.env as MarkdownEnv & { readonly realPath?: string }
    const source = (realPath ?? path).slice(root.length + 1)
    for (const token of state.tokens.flatMap((token) => [token, ...(token.children ?? [])])) {
      if (token.type.startsWith("html_")) token.content = withDot(token.content)
      const href = token.type === "link_open" ? token.attrGet("href") : null
      if (href !== null) token.attrSet("href", onSite(root, source, href))
    }
  })
}

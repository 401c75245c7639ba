/** The site: `npm run docs` builds it, `npm run docs:watch` shows it while one writes. */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitepress"
import { rewriteLinks } from "./links.ts"
import { pathOf, sections } from "./pages.ts"

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")

export default defineConfig({
  title: "effect-pools",
  description: "Managed connection pools for Effect programs",
  lang: "en",
  // Pages are written all over the repository: the README of a package is its page.
  srcDir: root,
  srcExclude: [
    "docs/generated/**",
    ".changeset/**",
    ".cache/**",
    "scratch/**",
    "examples/scratch/**",
    "packages/*/CHANGELOG.md"
  ],
  rewrites: (source) => `${pathOf(source) ?? source.replace(/\.md$/, "")}.md`,
  outDir: `${root}/docs/dist`,
  cacheDir: `${root}/.cache/vitepress`,
  // `/api/` is added by another builder, and scripts/checkSite.ts follows every link of the whole.
  ignoreDeadLinks: [/^\/api\//],
  metaChunk: true,
  vite: { publicDir: `${root}/docs/public` },
  markdown: { config: rewriteLinks(root) },
  themeConfig: {
    // An index of our own pages: it needs no service, so it works without a network.
    search: {
      provider: "local",
      options: {
        // Each option of a table is found by itself, as a heading would be.
        _render: (text, env, md) =>
          md.render(text, env).replaceAll(
            /<span id="([^"]+)"><code>([^<]+)<\/code><\/span>/g,
            "<h3>$2<a href=\"#$1\">#</a></h3>"
          )
      }
    },
    nav: [
      { text: "Begin", link: "/guide/getting-started" },
      { text: "Options", link: "/options/every-pool" },
      { text: "Troubleshooting", link: "/guide/troubleshooting" },
      { text: "API", link: "/api/index.html", target: "_self" }
    ],
    sidebar: sections.map(({ pages, title }) => ({
      text: title,
      collapsed: false,
      items: pages.map((page) => ({ text: page.title, link: `/${page.path}` }))
    })),
    outline: { level: [2, 3] },
    socialLinks: [{ icon: "github", link: "https://github.com/effect-pools/effect-pools" }],
    footer: { message: "MIT License" }
  }
})

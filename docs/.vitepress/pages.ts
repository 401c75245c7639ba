/**
 * The pages of the site: where each is written, and under which address it is read.
 *
 * A page may be written anywhere in the repository, as the README of a package is, so that nothing is told twice.
 */

import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Page {
  /** The file, from the root of the repository. */
  readonly source: string
  /** The address, from the root of the site. */
  readonly path: string
  readonly title: string
}

export interface Section {
  readonly title: string
  readonly pages: ReadonlyArray<Page>
}

const kinds: ReadonlyArray<readonly [folder: string, title: string]> = [
  ["core", "Any resource (core)"],
  ["postgres", "PostgreSQL"],
  ["redis", "Redis"],
  ["http", "HTTP"],
  ["websocket", "WebSocket"],
  ["manager", "Manager and monitoring"],
  ["testing", "Testing kit"]
]

const page = (source: string, title: string, path = source.replace(/^docs\//, "").replace(/\.md$/, "")): Page => ({
  source,
  path,
  title
})

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Every page of a folder, under its own heading. */
const pagesOf = (folder: string): ReadonlyArray<Page> =>
  globSync(`${folder}/*.md`, { cwd: root }).toSorted().map((source) => {
    const [, title = source] = /^# (?:\d+[.:]? )?(.*)$/m.exec(readFileSync(`${root}${source}`, "utf8")) ?? []
    return page(source, title.replaceAll("`", ""))
  })

export const sections: ReadonlyArray<Section> = [
  {
    title: "Begin",
    pages: [
      page("docs/guide/getting-started.md", "Getting started"),
      page("README.md", "What it is", "introduction"),
      page("examples/README.md", "Examples", "examples"),
      page("examples/pool-per-tenant/README.md", "A pool for each tenant", "examples/pool-per-tenant"),
      page("examples/without-effect/README.md", "Without Effect", "examples/without-effect")
    ]
  },
  {
    title: "Each kind",
    pages: kinds.map(([folder, title]) => page(`packages/${folder}/README.md`, title, `kinds/${folder}`))
  },
  {
    title: "Every option",
    pages: [
      page("docs/options/every-pool.md", "Of every pool"),
      page("docs/options/postgres.md", "PostgreSQL"),
      page("docs/options/redis.md", "Redis"),
      page("docs/options/http.md", "HTTP"),
      page("docs/options/websocket.md", "WebSocket"),
      page("docs/options/resource.md", "Any resource"),
      page("docs/options/manager.md", "Manager and monitoring")
    ]
  },
  {
    title: "In production",
    pages: [
      page("docs/guide/sizing.md", "Sizing"),
      page("docs/guide/budgets.md", "Budgets"),
      page("docs/guide/production.md", "Checklist"),
      page("docs/guide/operating.md", "Operating"),
      page("docs/guide/pgbouncer.md", "Behind PgBouncer"),
      page("docs/guide/metrics.md", "Metrics"),
      page("docs/guide/troubleshooting.md", "Troubleshooting"),
      page("docs/guide/guarantees.md", "Guarantees and limits")
    ]
  },
  {
    title: "Write and test",
    pages: [
      page("docs/guide/testing.md", "Testing"),
      page("docs/guide/own-kind.md", "A kind of your own")
    ]
  },
  {
    title: "Moving from",
    pages: [
      page("docs/moving/pg-pool.md", "pg-pool"),
      page("docs/moving/generic-pool.md", "generic-pool"),
      page("docs/moving/ioredis.md", "ioredis"),
      page("docs/moving/undici.md", "undici"),
      page("docs/moving/ws.md", "ws"),
      ...pagesOf("docs/coming-from")
    ]
  },
  {
    title: "Inside",
    pages: [
      page("ARCHITECTURE.md", "Architecture", "project/architecture"),
      page("packages/benchmarks/README.md", "Benchmarks", "project/benchmarks"),
      page("docs/project/results.md", "Results of the benchmark"),
      page("CONTRIBUTING.md", "Contributing", "project/contributing"),
      ...pagesOf("docs/decisions")
    ]
  },
  {
    title: "The project",
    pages: [
      page("docs/project/stability.md", "Stability policy"),
      page("docs/project/changelog.md", "Changelog"),
      page("SECURITY.md", "Security", "project/security")
    ]
  }
]

const bySource = new Map(sections.flatMap(({ pages }) => pages.map((page) => [page.source, page] as const)))

/** The address of a file's page: of a page in `docs` that no section lists it is the one that its folder gives it. */
export const pathOf = (source: string): string | undefined => {
  const listed = bySourceOrFolder(source)
  if (listed !== undefined) return listed.path
  return /^docs\/(?!public\/).*\.md$/.test(source) ? source.slice("docs/".length, -".md".length) : undefined
}

/** A link to a folder is one to its README. */
const bySourceOrFolder = (source: string): Page | undefined =>
  bySource.get(source) ?? bySource.get(source === "" ? "README.md" : `${source.replace(/\/$/, "")}/README.md`)

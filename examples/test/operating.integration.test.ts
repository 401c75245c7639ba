import { assert, describe, it } from "@effect/vitest"
import { parser } from "@prometheus-io/lezer-promql"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { families, type Family } from "../../scripts/site/metrics.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const folder = `${root}docs/public/operating/`
const read = (file: string): string => readFileSync(`${folder}${file}`, "utf8")

interface Panel {
  readonly id: number
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly refId: string }>
}

interface Dashboard {
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly query: unknown }> }
}

const dashboard = JSON.parse(read("effect-pools.dashboard.json")) as Dashboard

const kinds = ["db", "redis", "http", "websocket", "service"]

const rules = [...read("effect-pools.rules.yml").matchAll(/^ +expr: '(.*)'$/gm)].map(([, expr = ""]) => expr)

/** The values that Grafana sends when one of the kinds and all pools are chosen. */
const queries = (kind: string): ReadonlyArray<string> => {
  return dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).map((expr) =>
    expr.replaceAll("${kind}", kind).replaceAll("$pool", ".*").replaceAll("$__rate_interval", "5m")
  )
}

interface Selector {
  /** The names of the metrics it takes. */
  readonly name: RegExp
  readonly labels: ReadonlyArray<string>
}

/** The selectors of an expression, as the parser of Prometheus reads it; it must read all of it. */
const selectorsOf = (expr: string): ReadonlyArray<Selector> => {
  const selectors: Array<Selector> = []
  parser.parse(expr).iterate({
    enter: (node) => {
      assert.isFalse(node.type.isError, `can't be read: ${expr.slice(node.from)}`)
      if (node.name !== "VectorSelector") return
      const text = expr.slice(node.from, node.to)
      const name = /^\w+/.exec(text)?.[0] ?? /__name__=~"([^"]+)"/.exec(text)?.[1] ?? ""
      const labels = [...text.matchAll(/(\w+)=~?"/g)].map(([, label = ""]) => label)
      selectors.push({ name: new RegExp(`^(?:${name})$`), labels: labels.filter((label) => label !== "__name__") })
    }
  })
  assert.isNotEmpty(selectors, expr)
  return selectors
}

/** The series of a family have the names of its parts. */
const namesOf = ({ name, type }: Family): ReadonlyArray<string> =>
  type === "histogram" ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name]

const holds = (all: ReadonlyArray<Family>, expr: string): void => {
  for (const { labels, name } of selectorsOf(expr)) {
    const found = all.filter((family) => namesOf(family).some((series) => name.test(series)))
    assert.isNotEmpty(found, `no pool publishes ${name.source}: ${expr}`)
    for (const label of labels) {
      assert.isTrue(found.every((family) => family.labels.includes(label)), `no label ${label}: ${expr}`)
    }
  }
}

describe("what is given to operators", () => {
  it.live("each alert asks for metrics and labels that pools publish", () =>
    Effect.map(families, (all) => {
      assert.strictEqual(rules.length, 8)
      for (const expr of rules) holds(all, expr)
    }))

  it.live("each panel asks for metrics and labels that pools publish, whatever the kind", () =>
    Effect.map(families, (all) => {
      for (const kind of kinds) {
        const asked = queries(kind)
        assert.isAbove(asked.length, 15)
        for (const expr of asked) holds(all, expr)
      }
    }))

  it("no two panels have one number or lie on each other", () => {
    const { panels } = dashboard
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) => {
      assert.isAtMost(x + w, 24)
      return Array.from({ length: h * w }, (_, cell) => `${x + cell % w} ${y + Math.floor(cell / w)}`)
    })
    assert.strictEqual(new Set(cells).size, cells.length)
    for (const { targets = [] } of panels) {
      assert.strictEqual(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    }
  })

  it.live("each metric that a page names is one that pools publish", () =>
    Effect.map(families, (all) => {
      const known = new Set(all.flatMap((family) => [family.name, ...namesOf(family)]))
      const pages = globSync(["docs/**/*.md", "packages/*/README.md", "*.md"], { cwd: root })
      const named = pages.filter((page) => !page.includes("generated")).flatMap((page) =>
        [...readFileSync(`${root}${page}`, "utf8").matchAll(/\b(?:db|redis|http|websocket|service)_pool_[a-z_]+/g)]
          .map(([name]) => ({ page, name }))
      )
      assert.isAbove(named.length, 5)
      for (const { name, page } of named) assert.isTrue(known.has(name), `${page} names ${name}`)
    }))

  // With Prometheus' own tool, where the machine has it: CI does.
  it.live.runIf(spawnSync("promtool", ["--version"]).status === 0)(
    "each alert is raised by the trouble it is for, and by no pool that is well",
    () =>
      Effect.sync(() => {
        for (
          const args of [["check", "rules", "effect-pools.rules.yml"], ["test", "rules", "effect-pools.rules.test.yml"]]
        ) {
          const { status, stderr, stdout } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" })
          assert.strictEqual(status, 0, stdout + stderr)
        }
      })
  )
})

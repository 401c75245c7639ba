/**
 * Holds what pages say against the sources: the tests that they name exist, the texts of errors that they explain are ones
 * that the packages have, and no reason of an error and no cause of a diagnosis is left out.
 */
import { globSync, readFileSync } from "node:fs"

const read = (root: string, patterns: ReadonlyArray<string>): string =>
  globSync(patterns as Array<string>, { cwd: root }).map((file) => readFileSync(`${root}/${file}`, "utf8")).join("\n")

/** Names of tests stand in quotes in the last column. */
const testsNamed = (page: string): ReadonlyArray<string> =>
  page.split("\n").filter((line) => line.startsWith("|")).flatMap((line) =>
    [...(line.split("|").at(-2) ?? "").matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name)
  )

/** Texts stand as code in the first column, after the heading that says so. `…` stands for what differs. */
const textsNamed = (page: string): ReadonlyArray<string> =>
  page.slice(page.indexOf("## By error text")).split("\n").filter((line) => line.startsWith("| `")).flatMap((line) =>
    [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].flatMap(([, text = ""]) =>
      text.split("…").map((part) => part.trim()).filter((part) => part.length > 3 && part.includes(" "))
    )
  )

/** A text in the sources goes over lines, and has values in it. */
const asWritten = (sources: string): string =>
  sources.replaceAll(/["'`]\s*\+\s*["'`]/g, "").replaceAll(/\$\{[^}]*\}/g, "…")

/** The reasons of all errors, and the causes of diagnoses. */
const known = (root: string): ReadonlyArray<string> => {
  const reasons = ["core/src/PoolError", "redis/src/RedisError", "websocket/src/WebSocketError"].flatMap((file) => {
    const [, union = ""] = /^export type \w+Reason =((?:\n  \| \w+)+)/m.exec(read(root, [`packages/${file}.ts`])) ?? []
    return union.split("|").map((name) => name.trim()).filter((name) => name !== "")
  })
  const [, causes = ""] = /^export const causes = \[(.*?)\]/ms.exec(
    read(root, ["packages/core/src/internal/diagnosis/model.ts"])
  ) ?? []
  return [...reasons, ...[...causes.matchAll(/"(\w+)"/g)].map(([, cause = ""]) => cause)]
}

export const check = (root: string): ReadonlyArray<string> => {
  const page = (name: string): string => readFileSync(`${root}/docs/guide/${name}.md`, "utf8")
  const tests = read(root, ["packages/*/test/**/*.ts", "packages/testing/src/**/*.ts"])
  const sources = asWritten(read(root, ["packages/*/src/**/*.ts"]))
  const named = testsNamed(page("guarantees"))
  const texts = textsNamed(page("troubleshooting"))
  const all = known(root)
  if (named.length < 15 || texts.length < 30 || all.length < 30) {
    throw new Error("the pages name no tests or texts, or they were not found")
  }
  return [
    ...named.filter((name) => !tests.includes(`"${name}"`) && !tests.includes(`: ${name}"`)).map((name) =>
      `guarantees.md: no test "${name}"`
    ),
    ...all.filter((name) => !page("troubleshooting").includes(`\`${name}\``)).map((name) =>
      `troubleshooting.md: says nothing of ${name}`
    ),
    ...texts.filter((text) => !sources.includes(text)).map((text) => `troubleshooting.md: nothing says "${text}"`)
  ]
}

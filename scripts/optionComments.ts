/**
 * Writes the comments of the options that users see in their editor, from the table that documents them
 * (`packages/core/src/internal/options/poolTable.ts`): `npm run options`. With `--check` it only tells which differ.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { paragraphOf } from "../packages/core/src/internal/options/describe.ts"
import { optionsOf } from "../packages/core/src/PoolConfig.ts"
import { service } from "../packages/core/src/PoolKind.ts"

/** The interfaces that have the options, and the path of the option that each is the type of. */
const places = [
  { file: "packages/core/src/internal/model/config.ts", type: "PoolOptions", path: "" },
  { file: "packages/core/src/internal/model/traffic.ts", type: "TrafficRules", path: "traffic." },
  { file: "packages/core/src/internal/model/sizing.ts", type: "SizingOptions", path: "sizing." }
]

const root = join(import.meta.dirname, "..")
const widest = 120

const texts = new Map(optionsOf(service).map((info) => [info.name, paragraphOf(info)]))

const commentOf = (text: string, indent: string): ReadonlyArray<string> => {
  const single = `${indent}/** ${text} */`
  if (single.length <= widest) return [single]
  const lines: Array<string> = []
  let line = `${indent} *`
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > widest) {
      lines.push(line)
      line = `${indent} *`
    }
    line += ` ${word}`
  }
  return [`${indent}/**`, ...lines, line, `${indent} */`]
}

/** The file with the comments of the table, and the options that it gives a comment. */
const written = (
  source: string,
  type: string,
  path: string
): readonly [text: string, options: ReadonlyArray<string>] => {
  const lines = source.split("\n")
  const begin = lines.findIndex((line) => line.startsWith(`export interface ${type} {`)) + 1
  if (begin === 0) throw new Error(`no interface ${type}`)
  const end = lines.indexOf("}", begin)
  const out: Array<string> = []
  const options: Array<string> = []
  const within: Array<string> = []
  let comment: Array<string> = []
  for (const line of lines.slice(begin, end)) {
    if (/^\s*(\/\*\*|\*)/.test(line)) {
      comment.push(line)
      continue
    }
    const [, indent, option] = /^(\s+)readonly (\w+)\?:/.exec(line) ?? []
    const name = `${path}${[...within, option].join(".")}`
    const text = texts.get(name)
    if (text !== undefined) options.push(name)
    out.push(...(text === undefined ? comment : commentOf(text, indent!)), line)
    comment = []
    if (line.endsWith("{")) within.push(option!)
    if (/^\s*\}/.test(line)) within.pop()
  }
  return [[...lines.slice(0, begin), ...out, ...lines.slice(end)].join("\n"), options]
}

const isCheck = process.argv.includes("--check")
const found = new Set<string>()
for (const { file, path, type } of places) {
  const source = readFileSync(join(root, file), "utf8")
  const [text, options] = written(source, type, path)
  for (const option of options) found.add(option)
  if (text === source) continue
  if (!isCheck) writeFileSync(join(root, file), text)
  else {
    console.error(`optionComments: the comments in ${file} are not those of the table, run npm run options`)
    process.exitCode = 1
  }
}
for (const name of texts.keys()) {
  if (found.has(name)) continue
  console.error(`optionComments: ${name} has no comment: no interface of scripts/optionComments.ts has it`)
  process.exitCode = 1
}

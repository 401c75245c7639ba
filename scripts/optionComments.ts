/**
 * Writes the comments of the options that users see in their editor, from the tables that document them
 * (`packages/core/src/internal/options/poolTable.ts`, the `optionTable.ts` of each backend): `npm run options`. With
 * `--check` it only tells which differ.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { paragraphOf } from "../packages/core/src/internal/options/describe.ts"
import { type OptionInfo, optionsOf } from "../packages/core/src/PoolConfig.ts"
import { service } from "../packages/core/src/PoolKind.ts"
import { ownOptions } from "./optionTables.ts"

interface Place {
  readonly file: string
  readonly type: string
  /** The path of the option that the interface is the type of. */
  readonly path: string
}

/** A table, and the interfaces that have its options. */
interface Source {
  readonly infos: ReadonlyArray<OptionInfo>
  readonly places: ReadonlyArray<Place>
}

const of = (file: string, ...types: ReadonlyArray<string>): ReadonlyArray<Place> =>
  types.map((named) => {
    const [type = "", path = ""] = named.split(" ")
    return { file: `packages/${file}.ts`, type, path }
  })

const sources: ReadonlyArray<Source> = [
  {
    infos: optionsOf(service),
    places: [
      ...of("core/src/internal/model/config", "PoolOptions"),
      ...of("core/src/internal/model/traffic", "TrafficRules traffic."),
      ...of("core/src/internal/model/sizing", "SizingOptions sizing.")
    ]
  },
  {
    infos: ownOptions.postgres,
    places: [
      ...of("postgres/src/PostgresConfig", "PostgresOptions"),
      ...of("postgres/src/internal/cost/model", "HeavyOptions heavy."),
      ...of("postgres/src/internal/pooler/model", "PoolerOptions pooler."),
      ...of("postgres/src/internal/prewarm", "PrewarmOptions prewarm.")
    ]
  },
  {
    infos: ownOptions.redis,
    places: of("redis/src/RedisConfig", "RedisOptions", "ClusterOptions cluster.", "SentinelOptions sentinel.")
  },
  {
    infos: ownOptions.http,
    places: [
      ...of(
        "http/src/HttpConfig",
        "HttpOptions",
        "RequestOptions",
        "HealthRequest healthRequest.",
        "UpstreamInput upstreams.",
        "ProxyInput proxy."
      ),
      ...of("core/src/internal/model/balanced", "OutlierEjection outlierEjection.")
    ]
  },
  {
    infos: ownOptions.websocket,
    places: of(
      "websocket/src/internal/configModel",
      "ConnectionOptionsOf",
      "SchemaOption",
      "KeepAlive keepAlive.",
      "ControlMessages control.",
      "Correlation correlation."
    )
  }
]

const root = join(import.meta.dirname, "..")
const widest = 120

const commentOf = (text: string, indent: string): ReadonlyArray<string> => {
  const single = `${indent}/** ${text} */`
  if (single.length <= widest) return [single]
  const lines: Array<string> = []
  let line = `${indent} *`
  // Code stays in one piece.
  for (const word of text.match(/(`[^`]*`|\S)+/g) ?? []) {
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
  path: string,
  texts: ReadonlyMap<string, string>
): readonly [text: string, options: ReadonlyArray<string>] => {
  const lines = source.split("\n")
  const begin = lines.findIndex((line) => new RegExp(`^export (interface|type) ${type}\\b.*\\{$`).test(line)) + 1
  if (begin === 0) throw new Error(`no interface ${type}`)
  const end = lines.findIndex((line, at) => at >= begin && /^ {0,2}\}$/.test(line))
  const out: Array<string> = []
  const options: Array<string> = []
  const within: Array<string> = []
  let comment: Array<string> = []
  for (const line of lines.slice(begin, end)) {
    if (/^\s*(\/\*\*|\*)/.test(line)) {
      comment.push(line)
      continue
    }
    const [, indent, option] = /^(\s+)readonly (\w+)\??:/.exec(line) ?? []
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

const write = (texts: ReadonlyMap<string, string>, places: ReadonlyArray<Place>): void => {
  const found = new Set<string>()
  for (const { file, path, type } of places) {
    const source = readFileSync(join(root, file), "utf8")
    const [text, options] = written(source, type, path, texts)
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
}

for (const { infos, places } of sources) write(new Map(infos.map((info) => [info.name, paragraphOf(info)])), places)

/** Where options are declared, and what the comment of each must say. */
import { existsSync, readFileSync } from "node:fs"
import { type Declarations, type OptionText, read } from "../../docs/api/optionTexts.ts"

const common = ["config", "traffic", "thresholds", "balanced", "connection"].map((file) =>
  `core/src/internal/model/${file}`
)

/** Two packages may have different things of one name, so each is read by itself. */
const sources: Readonly<Record<string, ReadonlyArray<string>>> = {
  resource: ["core/src/ResourcePool"],
  postgres: ["postgres/src/PostgresConfig", "postgres/src/internal/cluster/model", "postgres/src/internal/model"],
  redis: ["redis/src/RedisConfig"],
  http: ["http/src/HttpConfig", "http/src/HttpPools"],
  websocket: ["websocket/src/internal/configModel"],
  manager: ["manager/src/internal/managerModel", "manager/src/internal/monitoringModel"]
}

export const declared = (root: string, of: string): Declarations =>
  read([...common, ...(sources[of] ?? [])].map((file) => `${root}/packages/${file}.ts`))

/** An amount without a limit that is told on both sides is one that nobody can choose. */
const incomplete = (texts: ReadonlyArray<OptionText>): ReadonlyArray<string> =>
  texts
    .filter(({ name, type }) => /Duration|^number/.test(type) && !/(^|\.)(port|db)$/.test(name))
    .flatMap((text) => {
      const missing = [
        ...(text.default === "" ? ["Default ..."] : []),
        ...(text.tooSmall === "" && text.tooLarge === "" ? ["Too small: ... Too large: ..."] : [])
      ]
      return missing.map((words) => `${text.name}: its comment lacks the words "${words}"`)
    })

/** The interfaces that users fill in, by the file that has them. */
const interfaces: Readonly<Record<string, ReadonlyArray<string>>> = {
  resource: ["PoolOptions", "ResourceOptions", "Options", "LeaseOptions"],
  postgres: ["PostgresOptions", "ClusterOptions", "TransactionOptions", "QueryOptions"],
  redis: ["RedisOptions"],
  http: ["HttpOptions", "HttpPoolsOptions"],
  websocket: ["WebSocketOptions"],
  manager: ["ManagerOptions", "ServerOptions"]
}

/** The README of a kind has a short table of its own options: each of them, and none that there is not. */
const unlikeReadme = (root: string, kind: string): ReadonlyArray<string> => {
  const { membersOf } = declared(root, kind)
  const every = new Set(membersOf("PoolOptions").map(({ name }) => name))
  const [first = ""] = interfaces[kind] ?? []
  const own = membersOf(first).map(({ name }) => name).filter((name) => !every.has(name))
  const file = `packages/${kind}/README.md`
  const [, table = ""] =
    /^## Options$(.*?)^## /ms.exec(existsSync(`${root}/${file}`) ? readFileSync(`${root}/${file}`, "utf8") : "") ?? []
  const named = table.split("\n").filter((line) => line.startsWith("| `")).flatMap((line) =>
    [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name)
  )
  // A package without such a table tells its options in its text.
  if (named.length === 0) return []
  return [
    ...own.filter((name) => !name.includes(".") && !named.includes(name)).map((name) => `${file}: lacks ${name}`),
    ...named.filter((name) => !own.includes(name) && !every.has(name)).map((name) => `${file}: there is no ${name}`)
  ]
}

/** The gaps in the comments of all options and in the READMEs. */
export const lacking = (root: string): ReadonlyArray<string> => {
  const lines = Object.entries(interfaces).flatMap(([of, names]) => {
    const { membersOf } = declared(root, of)
    const inComments = names.flatMap((name) => {
      const texts = membersOf(name)
      return texts.length === 0 ? [`${name}: it was not found`] : incomplete(texts).map((line) => `${name}.${line}`)
    })
    return inComments.concat(unlikeReadme(root, of))
  })
  return [...new Set(lines)]
}

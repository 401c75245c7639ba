/** The metrics that pools publish, as a scrape of the monitoring routes reads them. */
import { BalancedPool, ConnectionPool, ResourcePool } from "@effect-pools/core"
import { HttpPool } from "@effect-pools/http"
import { ConnectionManager, Monitoring } from "@effect-pools/manager"
import { ClusterScript, PostgresCluster, PostgresPool, PostgresScript } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool } from "@effect-pools/websocket"
import { Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: ReadonlyArray<string>
}

class Service extends ResourcePool.Service<Service, object>()("docs/Service") {}
class Balanced extends BalancedPool.Service<Balanced, object>()("docs/Balanced") {}
class Db extends PostgresPool.Service<Db>()("docs/Db") {}
class Replicated extends PostgresCluster.Service<Replicated>()("docs/Replicated") {}
class Cache extends RedisPool.Service<Cache>()("docs/Cache") {}
class Api extends HttpPool.Service<Api>()("docs/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("docs/Chat") {}

const upstream = Effect.map(
  ConnectionPool.make({ connect: () => Effect.succeed({}) }, { name: "docs/upstream", minConnections: 0 }),
  (pool) => ({ pool })
)

const Pools = Layer.mergeAll(
  Service.layer({ acquire: Effect.succeed({}), minConnections: 0 }),
  Balanced.layer(Effect.all([upstream])),
  Db.layerTest(PostgresScript.make(() => []), { minConnections: 0, metrics: true }),
  Replicated.layerTest(ClusterScript.make(() => []), { metrics: true }),
  Cache.layerTest(() => "OK", { metrics: true }),
  Api.layerTest(() => new Response(), { metrics: true }),
  Chat.layerTest(() => undefined, { metrics: true })
)

const Observed = Monitoring.layer({ port: 0 }).pipe(
  Layer.provideMerge(ConnectionManager.layer({ pools: [Service, Balanced, Db, Cache, Api, Chat] })),
  Layer.provideMerge(Pools),
  Layer.merge(FetchHttpClient.layer)
)

const parse = (text: string): ReadonlyArray<Family> => {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = "", help = ""]) => [name, help]))
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => {
    const series = [...text.matchAll(new RegExp(`^${name}(_bucket|_sum|_count)?\\{([^}]*)\\}`, "gm"))]
    const labels = new Set(
      series.flatMap(([, , labels = ""]) => [...labels.matchAll(/(\w+)="/g)].map(([, l = ""]) => l))
    )
    return { name, type, help: helps.get(name) ?? "", labels: [...labels] }
  })
}

/** Every family of series, after one scrape of a program with a pool of each kind. */
export const families: Effect.Effect<ReadonlyArray<Family>> = Effect.gen(function*() {
  // Operations are timed from the first on.
  yield* Effect.all([Db.query`SELECT 1`, Cache.get("a"), Effect.scoped(Api.get("/")), Chat.send("a")], {
    discard: true
  })
  const { url } = yield* Monitoring.Address
  const response = yield* HttpClient.get(`${url}/metrics`)
  return parse(yield* response.text)
}).pipe(Effect.provide(Observed), Effect.orDie)

const kindsOf = (name: string): RegExpExecArray | null => /^(service|db|redis|http|websocket)_pool_(.*)$/.exec(name)

interface Row {
  readonly name: string
  readonly kinds: Array<string>
  readonly family: Family
}

/** The table of all metrics, one row for those that differ in their kind alone. */
export const table = (all: ReadonlyArray<Family>): string => {
  const rows = new Map<string, Row>()
  for (const family of all) {
    const [, kind, suffix] = kindsOf(family.name) ?? []
    const name = suffix === undefined ? family.name : `<kind>_pool_${suffix}`
    const row = rows.get(name) ?? { name, kinds: [], family }
    rows.set(name, row)
    if (kind !== undefined) row.kinds.push(kind)
  }
  const everywhere = Math.max(...[...rows.values()].map(({ kinds }) => kinds.length))
  const cells = [...rows.values()].map(({ family, kinds, name }) => {
    const where = kinds.length === everywhere ? "every" : kinds.length === 0 ? "" : kinds.join(", ")
    return `| \`${name}\` | ${family.type} | ${
      family.labels.map((l) => `\`${l}\``).join(" ")
    } | ${where} | ${family.help} |`
  })
  return `| name | type | labels | kinds | what it tells |\n| --- | --- | --- | --- | --- |\n${cells.join("\n")}\n`
}

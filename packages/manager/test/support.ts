/**
 * What the tests of the manager share: pools over fake backends, and the routes over real HTTP.
 */
import { ConnectionPool } from "@effect-pools/core"
import { ConnectionManager, type Manager, Monitoring, type MonitoringApi } from "@effect-pools/manager"
import { FakeConnector, GatedConnector } from "@effect-pools/testing"
import { Effect, Layer, Logger, Metric, Redacted, Schema } from "effect"

type Connection = FakeConnector.FakeConnection

export class Db extends ConnectionPool.Service<Db, Connection>()("app/Db") {}
export class Cache extends ConnectionPool.Service<Cache, Connection>()("app/Cache") {}

export const token = "a-token-for-the-tests"

/** Small pools that dial nothing by themselves. */
const quiet: ConnectionPool.MakeOptions = { minConnections: 0, maxConnections: 2 }

interface Backends {
  readonly db: GatedConnector.GatedConnector
  readonly cache: FakeConnector.FakeConnector
}

/** Both pools over backends that the test commands. */
export const pools = (
  options: { readonly db?: ConnectionPool.MakeOptions; readonly cache?: ConnectionPool.MakeOptions } = {}
) => {
  const backends: Backends = { db: GatedConnector.make(), cache: FakeConnector.make() }
  const layer = Layer.mergeAll(
    Db.layer(backends.db.connector, { ...quiet, kind: { name: "db", isDatabase: true }, ...options.db }),
    Cache.layer(backends.cache.connector, { ...quiet, kind: { name: "redis", isDatabase: true }, ...options.cache })
  )
  return { ...backends, layer }
}

type Options = Omit<Manager.ManagerOptions<readonly [typeof Db, typeof Cache]>, "pools">

export const managed = (layer: Layer.Layer<Db | Cache, unknown>, options: Options = {}) =>
  Layer.provideMerge(ConnectionManager.layer({ pools: [Db, Cache], ...options }), layer)

/** Nothing of other tests is in the registry of metrics, and nothing is logged. */
export const isolated = Layer.mergeAll(
  Layer.sync(Metric.MetricRegistry, () => new Map()),
  Logger.layer([])
)

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** Asks the server whose address is in the context. */
export const ask = (
  path: string,
  { body, headers, method = "GET" }: {
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string
  } = {}
) =>
  Effect.gen(function*() {
    const { url } = yield* Monitoring.Address
    return yield* Effect.promise(async (signal): Promise<Answer> => {
      const response = await fetch(new URL(path, url), {
        method,
        headers: headers ?? {},
        ...(body === undefined ? {} : { body }),
        redirect: "manual",
        signal
      })
      return { status: response.status, headers: response.headers, body: await response.text() }
    })
  })

export const bearer = { authorization: `Bearer ${token}` }

export const act = (path: string, method: "POST" | "DELETE" = "POST", body?: string) =>
  ask(path, { method, headers: bearer, ...(body === undefined ? {} : { body }) })

/** Fails the test if the answer is not what the schema says. */
export const decode = <A>(schema: Schema.Codec<A, unknown>, { body }: Answer): A =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(body)

export const monitored = (options: Monitoring.ServerOptions = {}) =>
  Monitoring.layer({ port: 0, token: Redacted.make(token), ...options })

export const poolNamed = (answer: MonitoringApi.Pools, name: string): MonitoringApi.Pool =>
  answer.pools.find((pool) => pool.name === name) ?? (() => {
    throw new Error(`no pool ${name}`)
  })()

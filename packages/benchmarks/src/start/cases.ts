/** Packages that a program may begin with. Each is loaded in a process of its own. */
import type * as Layer from "effect/Layer"

type AnyLayer = Layer.Layer<never, unknown>

export interface Case {
  readonly name: string
  /** Whether it is what one would use without a pool of ours. */
  readonly isOurs: boolean
  /** Loads it, and gives the layer to build with what was loaded. */
  readonly load: () => Promise<(() => AnyLayer) | undefined>
}

// Nothing is dialled: it is the start of the program that is timed, not that of its servers.
const idle = { minConnections: 0 } as const

const address = "127.0.0.1:1"

const bare = (name: string, load: () => Promise<unknown>): Case => ({
  name,
  isOurs: false,
  load: async () => void await load()
})

const core = async () => {
  const { ResourcePool } = await import("@effect-pools/core")
  const { Effect } = await import("effect")
  class Pool extends ResourcePool.Service<Pool, object>()("start/Resource") {}
  return () => Pool.layer({ acquire: Effect.succeed({}), ...idle }) as AnyLayer // nobody asks for its services
}

const postgres = async () => {
  const { PostgresPool } = await import("@effect-pools/postgres")
  const Redacted = await import("effect/Redacted")
  class Pool extends PostgresPool.Service<Pool>()("start/Postgres") {}
  return () => Pool.layer({ url: Redacted.make(`postgres://user@${address}/db`), ...idle }) as AnyLayer // as above
}

const redis = async () => {
  const { RedisPool } = await import("@effect-pools/redis")
  const Redacted = await import("effect/Redacted")
  class Pool extends RedisPool.Service<Pool>()("start/Redis") {}
  return () => Pool.layer({ url: Redacted.make(`redis://${address}`), ...idle }) as AnyLayer // as above
}

const http = async () => {
  const { HttpPool } = await import("@effect-pools/http")
  class Pool extends HttpPool.Service<Pool>()("start/Http") {}
  return () => Pool.layer({ origin: `http://${address}`, ...idle }) as AnyLayer // as above
}

const websocket = async () => {
  const { WebSocketPool } = await import("@effect-pools/websocket")
  class Pool extends WebSocketPool.Service<Pool>()("start/WebSocket") {}
  return () => Pool.layer({ url: `ws://${address}`, ...idle }) as AnyLayer // as above
}

const five = async () => {
  const Layer = await import("effect/Layer")
  const layers = [await core(), await postgres(), await redis(), await http(), await websocket()]
  return () => layers.map((make) => make()).reduce((all, one) => Layer.merge(all, one))
}

export const cases: ReadonlyArray<Case> = [
  bare("effect", () => import("effect")),
  bare("pg, ioredis, undici, ws", () => Promise.all([import("pg"), import("ioredis"), import("undici"), import("ws")])),
  bare("@effect/sql-pg", () => import("@effect/sql-pg")),
  { name: "core", isOurs: true, load: core },
  { name: "postgres", isOurs: true, load: postgres },
  { name: "redis", isOurs: true, load: redis },
  { name: "http", isOurs: true, load: http },
  { name: "websocket", isOurs: true, load: websocket },
  {
    name: "manager",
    isOurs: true,
    load: async () => void await import("@effect-pools/manager")
  },
  { name: "five pools", isOurs: true, load: five }
]

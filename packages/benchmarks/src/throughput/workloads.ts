/** Everything that is timed, by the server it needs: a process loads only the clients of one. */
import type { ServerKind } from "./server.ts"
import type { Workload } from "./workload.ts"

type Workloads = ReadonlyArray<Workload<unknown>>

const redis = async (): Promise<Workloads> => (await import("./redis/workloads.ts")).redisWorkloads
const http = async (): Promise<Workloads> => (await import("./http/workloads.ts")).httpWorkloads
const websocket = async (): Promise<Workloads> => (await import("./websocket/workloads.ts")).websocketWorkloads
const postgres = async (): Promise<Workloads> => (await import("./postgres/workloads.ts")).postgresWorkloads

const kinds = {
  redis,
  redisTls: redis,
  http,
  https: http,
  http2: http,
  websocket,
  postgres
} satisfies Record<ServerKind, () => Promise<Workloads>>

export const loadWorkloads = async (kind: ServerKind): Promise<Workloads> => kinds[kind]()

export const loadAll = async (): Promise<Workloads> =>
  (await Promise.all([redis(), http(), websocket(), postgres()])).flat()

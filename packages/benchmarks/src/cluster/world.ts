/** A primary with three replicas, and what their processes cost. */
import { PostgresCluster, PostgresPool } from "@effect-pools/postgres"
import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import { Effect, type Layer, type Scope } from "effect"
import { readFileSync } from "node:fs"

export class Db extends PostgresCluster.Service<Db>()("app/Db") {}
export class Alone extends PostgresPool.Service<Alone>()("app/Alone") {}

const settings = { max_connections: 100, max_wal_size: "2GB", checkpoint_timeout: "1h" }

export interface Servers {
  readonly primary: EmbeddedPostgres.Instance
  readonly replicas: ReadonlyArray<EmbeddedPostgres.Replica>
}

export const servers = (
  replicas: number
): Effect.Effect<Servers, EmbeddedPostgres.EmbeddedPostgresError, Scope.Scope> =>
  Effect.gen(function*() {
    const primary = yield* EmbeddedPostgres.make({ settings })
    return {
      primary,
      replicas: yield* Effect.forEach(
        Array.from({ length: replicas }),
        () => EmbeddedPostgres.replica(primary, { settings })
      )
    }
  })

export const live = (
  { primary, replicas }: Servers,
  options: Partial<PostgresCluster.ClusterOptions> = {}
): Layer.Layer<Db, unknown> =>
  Db.layerPoolOnly({
    primary: primary.url,
    replicas: replicas.map(({ url }) => url),
    maxConnections: 16,
    drainTimeout: "2 seconds",
    ...options
  })

/** Seconds of CPU that the processes of a server have used, those that ended included. */
const cpuOf = (pid: number): number => {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter((text) => text !== "")
  return ticks(pid, true) + children.reduce((sum, child) => sum + ticks(Number(child), false), 0)
}

/** The 14th to 17th field of the line that Linux keeps of a process; its name may have blanks in it. */
const ticks = (pid: number, isParent: boolean): number => {
  const [, ...fields] = read(`/proc/${pid}/stat`).split(")")
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.join(")").trim().split(" ").slice(11, 15).map(
    Number
  )
  return (user + system + (isParent ? endedUser + endedSystem : 0)) / 100
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

export interface Cpu {
  readonly program: number
  readonly primary: number
  readonly replicas: number
}

/** Runs an effect, and tells how many seconds of CPU it took of each. */
export const costing = <A, E, R>(
  { primary, replicas }: Servers,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<{ readonly value: A; readonly cpu: Cpu }, E, R> =>
  Effect.gen(function*() {
    const pids = yield* Effect.all([primary.pid, ...replicas.map(({ pid }) => pid)])
    const look = () => {
      const [ofPrimary = 0, ...ofReplicas] = pids.map((pid) => pid === undefined ? 0 : cpuOf(pid))
      const { system, user } = process.cpuUsage()
      return {
        program: (system + user) / 1e6,
        primary: ofPrimary,
        replicas: ofReplicas.reduce((a, b) => a + b, 0)
      }
    }
    const before = look()
    const value = yield* effect
    const after = look()
    const cpu: Cpu = {
      program: after.program - before.program,
      primary: after.primary - before.primary,
      replicas: after.replicas - before.replicas
    }
    return { value, cpu }
  })

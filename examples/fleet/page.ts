/**
 * The fleet on one page: a process that takes part itself, and whose manager shows what all of them hold and want.
 */
import { ConnectionBudget } from "@effect-pools/core"
import { ConnectionManager, Monitoring } from "@effect-pools/manager"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { EmbeddedPostgres, EmbeddedRedis } from "@effect-pools/testing"
import { Effect, Layer, Random, Redacted, type Scope } from "effect"
import { Fleet } from "./fleet.ts"

class Db extends PostgresPool.Service<Db>()("app/Db") {}
class Shared extends RedisPool.Service<Shared>()("app/Shared") {}

interface Settings {
  readonly processes: number
  readonly total: number
  readonly say: (line: string) => Effect.Effect<void>
}

export const page = ({ processes, say, total }: Settings): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const redis = yield* EmbeddedRedis.make()
    const postgres = yield* EmbeddedPostgres.make({ settings: { max_connections: total + 3 } })
    const database = Redacted.value(postgres.url)
    const fleet = new Fleet({ total, database, redis: Redacted.value(redis.url) })
    yield* Effect.forEach(Array.from({ length: processes }), (_, at) => fleet.start(`p${at + 1}`), { concurrency: 4 })
    const pool = Db.layer({ url: postgres.url, minConnections: 1, maxConnections: 4 }).pipe(
      Layer.provide(ConnectionBudget.layerRedis({ name: "primary", total, process: "the page" })),
      Layer.provideMerge(Shared.layer({ url: redis.url, minConnections: 0 }))
    )
    const layers = Monitoring.layer({ port: 0 }).pipe(
      Layer.provideMerge(ConnectionManager.layer({ pools: [Db, Shared] })),
      Layer.provideMerge(pool)
    )
    return yield* Effect.gen(function*() {
      yield* say(`the page is at ${(yield* Monitoring.Address).url}`)
      // Load that comes and goes, and now and then a process that is started anew.
      for (let turn = 1;; turn++) {
        for (const member of fleet.members.values()) member.load(yield* Random.nextIntBetween(0, total))
        yield* Effect.sleep("5 seconds")
        if (turn % 4 !== 0) continue
        const [oldest] = fleet.members.values()
        yield* fleet.start(`${oldest!.name}+`)
        yield* turn % 8 === 0 ? oldest!.kill : oldest!.stop
        yield* say(`${oldest!.name} was ${turn % 8 === 0 ? "killed" : "restarted"}`)
      }
    }).pipe(Effect.provide(layers))
  })

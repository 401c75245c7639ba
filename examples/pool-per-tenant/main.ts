/**
 * A pool for each tenant, made by the first request that needs it and closed when nobody has used it for a while.
 */
import { NodeRuntime } from "@effect/platform-node"
import { ResourcePool } from "@effect-pools/core"
import { Console, Effect, LayerMap } from "effect"

interface Session {
  readonly send: (text: string) => Effect.Effect<string>
}

class Mail extends ResourcePool.Service<Mail, Session>()("app/Mail") {}

/** Any number of tenants, each with a few connections. Each pool has a name of its own in logs and metrics. */
class Mailers extends LayerMap.Service<Mailers>()("app/Mailers", {
  lookup: (tenant: string) =>
    Mail.layer({
      name: `mail/${tenant}`,
      minConnections: 0,
      maxConnections: 2,
      acquire: Effect.succeed<Session>({ send: (text) => Effect.succeed(`${tenant}: ${text}`) })
    }),
  idleTimeToLive: "5 minutes"
}) {}

/** A request with a span and annotations of its own: the pool that it is the first to use has neither. */
const request = (tenant: string, text: string) =>
  Mail.withConnection((session) => Effect.flatMap(session.send(text), Console.log)).pipe(
    Effect.provide(Mailers.get(tenant)),
    Effect.withSpan("request"),
    Effect.annotateLogs({ tenant })
  )

const program = Effect.gen(function*() {
  yield* request("red", "hello")
  yield* request("blue", "hello")
  yield* request("red", "again")
  const { opened } = yield* Effect.map(Mail.stats, ({ counts }) => counts).pipe(Effect.provide(Mailers.get("red")))
  yield* Console.log(`connections of red: ${opened}`)
})

program.pipe(Effect.provide(Mailers.layer), NodeRuntime.runMain)

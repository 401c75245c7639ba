import { NodeRuntime } from "@effect/platform-node"
import { ResourcePool } from "@effect-pools/core"
import { Config, Console, Effect } from "effect"
import { Session } from "./session.ts"

const acquire = Effect.gen(function*() {
  const { hostname, port } = yield* Config.URL("REDIS_URL")
  return yield* Effect.acquireRelease(
    Effect.tryPromise(() => Session.open(hostname, Number(port))),
    (session) => Effect.sync(() => session.close())
  )
})

class Sessions extends ResourcePool.Service<Sessions, Session>()("app/Sessions") {
  static readonly live = this.layer({
    acquire,
    validate: (session) => Effect.tryPromise(() => session.ask("PING")),
    isBroken: (session) => !session.isOpen,
    minConnections: 1,
    maxConnections: 4,
    acquireTimeout: "5 seconds",
    idleTimeout: "30 seconds"
  })
}

const ask = (line: string) => Sessions.withConnection((session) => Effect.tryPromise(() => session.ask(line)))

const program = Effect.gen(function*() {
  yield* Console.log(yield* ask("SET moving 41"))
  yield* Console.log(yield* ask("INCR moving"))
  const answers = yield* Effect.all(Array.from({ length: 10 }, () => ask("PING")), { concurrency: "unbounded" })
  yield* Console.log(answers.join(" "))
})

program.pipe(Effect.provide(Sessions.live), NodeRuntime.runMain)

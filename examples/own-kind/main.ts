/** A kind of pool that no package knows: its members, its metrics, and how the manager sees it. */
import { ConnectionManager } from "@effect-pools/manager"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as MemoPool from "./MemoPool.ts"
import * as Server from "./server.ts"

class Memos extends MemoPool.Service<Memos>()("app/Memos") {}

const program = Effect.gen(function*() {
  const memos = yield* Memos
  yield* memos.put("greeting", "hello")
  console.log("greeting:", yield* memos.get("greeting"))
  // The reset undoes a borrower's changes before the next one comes.
  yield* memos.withConnection((session) => session.ask("USE attic"))
  console.log("greeting:", yield* memos.get("greeting"))

  const { pools } = yield* ConnectionManager.health
  console.log("the manager:", pools.map(({ name, status }) => `${name} is ${status}`).join(", "))
  const metrics = yield* PrometheusMetrics.format()
  console.log(metrics.split("\n").filter((line) => line.startsWith("memo_pool_acquire_total")).join("\n"))
})

const Pools = Layer.unwrap(Effect.map(Server.start, ({ port }) => Memos.layer({ host: "127.0.0.1", port })))
const Managed = ConnectionManager.layer({ pools: [Memos] }).pipe(Layer.provideMerge(Pools))

program.pipe(Effect.provide(Managed), NodeRuntime.runMain)

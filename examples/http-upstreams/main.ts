/**
 * Three servers behind one pool: requests are spread over them, and one that fails three times in a row is left out for
 * a while.
 */
import { NodeRuntime } from "@effect/platform-node"
import { HttpPool } from "@effect-pools/http"
import { Console, Effect } from "effect"
import { startUpstreams } from "./upstreams.ts"

class Api extends HttpPool.Service<Api>()("app/Api") {}

/** Who answers: each server says its name. */
const ask = Effect.flatMap(
  Api.get("/whoami"),
  (response) => response.status === 200 ? response.text : Effect.as(response.text, "an error")
)

const tallied = (answers: ReadonlyArray<string>) =>
  Object.entries(Object.groupBy(answers, (name) => name)).map(([name, those]) => `${name} ${those?.length}`).toSorted()

const program = Effect.gen(function*() {
  const upstreams = yield* startUpstreams(["a", "b", "c"])
  const live = Api.layer({
    upstreams: upstreams.map(({ origin }) => ({ origin })),
    strategy: "roundRobin",
    outlierEjection: { consecutiveFailures: 3, baseEjectionTime: "1 minute" },
    minConnections: 1,
    maxConnections: 4
  })
  yield* Effect.gen(function*() {
    yield* Console.log("all well:", ...tallied(yield* Effect.replicateEffect(ask, 30)))
    upstreams[1]!.isFailing = true
    yield* Console.log("b fails:", ...tallied(yield* Effect.replicateEffect(ask, 30)))
    yield* Console.log("left out:", ...tallied(yield* Effect.replicateEffect(ask, 30)))
    const { status, warnings } = yield* Api.health
    yield* Console.log(`health: ${status}, warnings: ${warnings.length}`)
  }).pipe(Effect.provide(live))
})

program.pipe(Effect.scoped, NodeRuntime.runMain)

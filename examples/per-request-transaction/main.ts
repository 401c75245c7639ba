/**
 * A web server whose handlers each run in a transaction of their own: committed when the answer is a good one, rolled back
 * when it is not, and never left open, whatever becomes of the request.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { PerRequest } from "@effect-pools/manager"
import { type PostgresConnector, PostgresPool } from "@effect-pools/postgres"
import { Console, Context, Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { withServer } from "../support/database.ts"

class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
  static readonly live = withServer((url) => this.layerPoolOnly({ url, maxConnections: 4 }))
}

/** The transaction of the request that is being handled. */
class RequestSql extends Context.Service<RequestSql, PostgresConnector.PostgresConnection>()("app/RequestSql") {}

const order = (status: number) =>
  Effect.gen(function*() {
    const sql = yield* RequestSql
    yield* sql`INSERT INTO customer_order DEFAULT VALUES`
    return HttpServerResponse.text(status === 200 ? "thank you" : "out of stock", { status })
  })

const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/good", order(200)),
  HttpRouter.add("POST", "/sold-out", order(409))
).pipe(
  Layer.provide(PerRequest.transaction((body) => PrimaryDb.transaction(body), RequestSql).layer)
)

const listening = NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })
const client = Layer.provide(HttpServer.layerTestClient, FetchHttpClient.layer)
const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(client),
  Layer.provideMerge(listening)
)

const program = Effect.gen(function*() {
  const client = yield* HttpClient.HttpClient
  for (const path of ["/good", "/good", "/sold-out"]) {
    const response = yield* client.post(path)
    yield* Console.log(`${path}: ${response.status} ${yield* response.text}`)
  }
  const [row] = yield* PrimaryDb.query<{ readonly orders: number }>`SELECT count(*)::int AS orders FROM customer_order`
  yield* Console.log(`orders: ${row?.orders}, connections lent: ${(yield* PrimaryDb.stats).used}`)
})

const setUp = PrimaryDb.query`CREATE TABLE customer_order (id serial PRIMARY KEY)`

Effect.andThen(setUp, Effect.provide(program, server)).pipe(Effect.provide(PrimaryDb.live), NodeRuntime.runMain)

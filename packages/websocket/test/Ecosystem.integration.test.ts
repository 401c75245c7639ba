import { NodeHttpServer } from "@effect/platform-node"
import { WebSocketPool } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket"
import * as Http from "node:http"

class Line extends WebSocketPool.Service<Line>()("app/Line") {}

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}

class Calls extends RpcGroup.make(
  Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String, error: NotFound }),
  Rpc.make("Count", { payload: { to: Schema.Number }, success: Schema.Number, stream: true })
) {}

const callsLayer = Calls.toLayer({
  Greet: ({ name }) => name === "" ? Effect.fail(new NotFound({ id: 0 })) : Effect.succeed(`hello ${name}`),
  Count: ({ to }) => Stream.range(1, to)
})

const serializations = {
  json: RpcSerialization.layerJson,
  ndjson: RpcSerialization.layerNdjson,
  binary: RpcSerialization.layerSchemaBinary()
}

describe("programs of Effect over a WebSocket pool", () => {
  for (const [serialization, layer] of Object.entries(serializations)) {
    it.live(`RPC works with ${serialization}, and the program ends at once`, () =>
      Effect.gen(function*() {
        const routes = RpcServer.layerHttp({ group: Calls, path: "/rpc", protocol: "websocket" }).pipe(
          Layer.provide(callsLayer),
          Layer.provide(layer)
        )
        const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), { port: 0, gracefulShutdownTimeout: 100 }))
        )
        const context = yield* Layer.build(server)
        const { address } = Context.get(context, HttpServer.HttpServer)
        const url = `ws://127.0.0.1:${(address as { readonly port: number }).port}/rpc`
        const client = RpcClient.layerProtocolSocket().pipe(
          Layer.provide(layer),
          Layer.provideMerge(Line.layer({ url, metrics: false }))
        )
        const [took] = yield* Effect.timed(
          Effect.gen(function*() {
            const calls = yield* RpcClient.make(Calls)
            const names = Array.from({ length: 30 }, (_, index) => `n${index}`)
            const greetings = yield* Effect.forEach(names, (name) => calls.Greet({ name }), { concurrency: 10 })
            assert.deepStrictEqual(greetings, names.map((name) => `hello ${name}`))
            assert.strictEqual((yield* Effect.flip(calls.Greet({ name: "" })))._tag, "NotFound")
            assert.strictEqual((yield* Stream.runCollect(calls.Count({ to: 200 }))).length, 200)
            assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(calls.Count({ to: 100_000 }), 3)), [1, 2, 3])
            assert.isTrue(Socket.isSocket(yield* Socket.Socket))
          }).pipe(Effect.scoped, Effect.provide(client))
        )
        assert.isBelow(Duration.toMillis(took), 5000)
      }).pipe(Effect.scoped), 20_000)
  }
})

import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import { WebSocketConfig, WebSocketConnector } from "@effect-pools/websocket"
import { Effect } from "effect"
import { Echo } from "./fixtures/wsServer.ts"

// The contract is the engine's, held over real connections: as the server counts them, and with leases that end.
ConnectionPoolContract.suite("WebSocket", {
  layer: Echo.layer,
  make: Effect.fnUntraced(function*(options) {
    const server = yield* Echo
    const connector = yield* WebSocketConnector.make({ url: server.url })
    return yield* ConnectionPool.make(connector, { ...options, kind: WebSocketConfig.kind })
  }),
  use: (connection: WebSocketConnector.WebSocketConnection<string | Uint8Array>) =>
    Effect.as(connection.request("hello"), connection.id),
  revokes: true,
  live: Effect.map(Echo, (server) => server.live())
})

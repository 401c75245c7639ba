import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import { HttpConfig, HttpConnector } from "@effect-pools/http"
import * as ConnectionPoolContract from "@effect-pools/testing/ConnectionPoolContract"
import { Context, Effect, Layer } from "effect"
import * as Servers from "./fixtures/servers.ts"
import { trusted } from "./support.ts"

class Backend extends Context.Service<Backend, Servers.Server>()("test/Backend") {}

// Each connection is known to the server by the port at our end.
const backend = Layer.effect(
  Backend,
  Servers.plain((request, response) => response.end(String(request.socket.remotePort)))
)

// The contract is the engine's, held over real connections: as the server counts them, and with leases that end.
ConnectionPoolContract.suite("HTTP/1.1", {
  layer: backend,
  make: Effect.fnUntraced(function*(options) {
    const { origin } = yield* Backend
    const connector = yield* HttpConnector.make({ origin })
    return yield* ConnectionPool.make(connector, { ...options, kind: HttpConfig.kind })
  }),
  use: (client: HttpConnector.HttpConnection) => Effect.flatMap(client.get("/"), (response) => response.text),
  revokes: true,
  live: Effect.map(Backend, (server) => server.connections())
})

class SecureBackend extends Context.Service<SecureBackend, Servers.Server>()("test/SecureBackend") {}

ConnectionPoolContract.suite("HTTP/2", {
  layer: Layer.effect(
    SecureBackend,
    Servers.h2((request, response) => response.end(String(request.stream.session?.socket.remotePort)))
  ),
  make: Effect.fnUntraced(function*(options) {
    const { origin } = yield* SecureBackend
    const connector = yield* HttpConnector.make({ origin, tls: trusted })
    return yield* ConnectionPool.make(connector, { ...options, kind: HttpConfig.kind })
  }),
  use: (client: HttpConnector.HttpConnection) => Effect.flatMap(client.get("/"), (response) => response.text),
  revokes: true,
  live: Effect.map(SecureBackend, (server) => server.connections())
})

/** Servers that say their names, or fail when they are told to. */
import { Effect } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

export interface Upstream {
  readonly origin: string
  isFailing: boolean
}

export const startUpstreams = (names: ReadonlyArray<string>) => Effect.forEach(names, start)

const start = (name: string) => {
  const upstream = { origin: "", isFailing: false }
  const listen = Effect.callback<Http.Server>((resume) => {
    const server = Http.createServer((_, response) => {
      response.writeHead(upstream.isFailing ? 500 : 200).end(name)
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })
  return Effect.acquireRelease(listen, (server) => Effect.sync(() => void server.close().closeAllConnections())).pipe(
    Effect.map((server): Upstream =>
      Object.assign(upstream, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    )
  )
}

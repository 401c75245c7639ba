/** The voice service: an HTTP API that turns an utterance into text, taking some milliseconds for it. */
import { Effect } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { restartable } from "./Backend.ts"

export const make = restartable("voice-api", (port) =>
  Effect.acquireRelease(listen(port), close).pipe(
    Effect.map((server) => (server.address() as AddressInfo).port)
  ))

const listen = (port: number) =>
  Effect.callback<Http.Server, Error>((resume) => {
    const server = Http.createServer({ keepAliveTimeout: 30_000 }, answer)
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

/** At once, with the requests under way. */
const close = (server: Http.Server) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const answer: Http.RequestListener = (request, response) => {
  if (request.method !== "POST" || request.url !== "/v1/transcriptions") {
    request.resume()
    response.writeHead(404).end()
    return
  }
  let bytes = 0
  request.on("data", (chunk: Buffer) => void (bytes += chunk.length))
  request.on("end", () => {
    const body = JSON.stringify({ text: `${bytes} bytes of speech`, confidence: 0.9 })
    setTimeout(() => {
      response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body)
    }, 8 + Math.random() * 16)
  })
}

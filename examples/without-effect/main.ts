/**
 * A web server without Effect, whose handlers use a pool: the same in Express, Fastify and Next.
 */
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { open } from "./Store.ts"

let isUp = false

await using store = open({
  connect: async () => {
    if (!isUp) throw new Error("connect ECONNREFUSED")
    return (id) => id === 0 ? Effect.never : Effect.succeed(`item ${id}`)
  }
})

const server = createServer(async (request, response) => {
  // The client that goes away gives its connection back.
  const gone = new AbortController()
  response.on("close", () => gone.abort())
  try {
    response.end(await store.find(Number(request.url?.slice(1)), gone.signal))
  } catch (error) {
    const isRetryable = error instanceof Error && "isRetryable" in error && error.isRetryable === true
    response.writeHead(isRetryable ? 503 : 500).end()
  }
})
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

console.log(`while the server is away: ${(await fetch(`${base}/1`)).status}`)
isUp = true
let found = await fetch(`${base}/1`)
while (found.status === 503) found = await fetch(`${base}/1`)
console.log(`when it is back: ${found.status} ${await found.text()}`)

const impatient = AbortSignal.timeout(100)
await fetch(`${base}/0`, { signal: impatient }).catch(() => console.log("a client went away"))
while (await store.used() > 0) await new Promise((resolve) => setTimeout(resolve, 10))
console.log("and its connection is back")

server.close()
server.closeAllConnections()

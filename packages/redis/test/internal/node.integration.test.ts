import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as Net from "node:net"
import * as Node from "../../src/internal/node.ts"

const settings = { tls: undefined, family: 4, keepAlive: 30_000, maxReplySize: 1024 } as const

const server = Effect.acquireRelease(
  Effect.callback<Net.Server>((resume) => {
    const server = Net.createServer((socket) => socket.on("error", () => {}).once("data", () => socket.end()))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

describe("node", () => {
  it.live("is at its end as soon as the server has hung up, and not only when the socket is closed", () =>
    Effect.gen(function*() {
      const { port } = (yield* server).address() as Net.AddressInfo
      const node = yield* Node.open(settings, { host: "127.0.0.1", port }, () => {})
      const hasEnded = yield* Deferred.make<boolean>()
      node.redis.stream.once("end", () => Deferred.doneUnsafe(hasEnded, Effect.succeed(node.ended !== undefined)))
      assert.instanceOf(yield* Effect.flip(node.call("PING")), Error)
      assert.isTrue(yield* Deferred.await(hasEnded))
    }).pipe(Effect.scoped))
})

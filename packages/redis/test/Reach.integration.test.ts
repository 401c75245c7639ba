import type { RedisConfig } from "@effect-pools/redis"
import { EmbeddedRedis, TestCertificate } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Tls from "node:tls"
import { Cache, withCache } from "./support.ts"

const { certificate: ca, key } = TestCertificate

/** Speaks TLS before a server, and notes the names that it is asked for. */
const frontOf = (server: { readonly host: string; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly names: Array<unknown>; readonly port: number; readonly close: () => void }>((resume) => {
      const names: Array<unknown> = []
      const sockets = new Set<Net.Socket>()
      const front = Tls.createServer({ cert: ca, key }, (socket) => {
        names.push((socket as unknown as { readonly servername: unknown }).servername)
        const up = Net.connect(server.port, server.host)
        for (const end of [socket, up]) {
          sockets.add(end)
          end.on("error", () => {}).on("close", () => [socket, up].forEach((each) => each.destroy()))
        }
        socket.pipe(up).pipe(socket)
      })
      front.on("tlsClientError", () => {})
      front.listen(0, "127.0.0.1", () => {
        const close = () => {
          for (const socket of sockets) socket.destroy()
          front.close()
        }
        resume(Effect.succeed({ names, port: (front.address() as Net.AddressInfo).port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const use = (options: RedisConfig.RedisOptions) =>
  Effect.gen(function*() {
    yield* Cache.set("k", "v")
    return yield* Cache.get("k")
  }).pipe(
    Effect.provide(
      Cache.layer({ minConnections: 0, acquireTimeout: "5 seconds", retry: Schedule.recurs(0), ...options }),
      { local: true }
    )
  )

describe("a server", () => {
  it.live("is told the name that it is dialed by (SNI), or the one that the options give", () =>
    Effect.gen(function*() {
      const { names, port } = yield* frontOf(yield* EmbeddedRedis.make())
      const url = (scheme: string, host: string) => ({ url: Redacted.make(`${scheme}://${host}:${port}`) })
      assert.strictEqual(yield* use({ ...url("rediss", "localhost"), tls: { ca } }), "v")
      assert.strictEqual(yield* use({ ...url("valkeys", "localhost"), tls: { ca } }), "v")
      // An address is no name.
      yield* use({ ...url("rediss", "127.0.0.1"), tls: { ca, checkServerIdentity: () => undefined } })
      yield* use({ ...url("rediss", "127.0.0.1"), tls: { ca, servername: "localhost" } })
      assert.deepStrictEqual(names, ["localhost", "localhost", false, "localhost"])
    }).pipe(Effect.scoped))

  it.live("of a cluster is told its own name", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 2 })
      const fronts = yield* Effect.forEach(cluster.nodes, frontOf)
      const hosts = ["localhost", "other.localhost"]
      const addressMap = Object.fromEntries(
        cluster.nodes.map(({ host, port }, i) => [`${host}:${port}`, { host: hosts[i]!, port: fronts[i]!.port }])
      )
      const lookup: Net.LookupFunction = (_, { all }, found) =>
        all === true ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4)
      const tls = { ca, lookup, checkServerIdentity: () => undefined }
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => `k${i}`),
        (key) => Cache.set(key, "v")
      ).pipe(Effect.provide(Cache.layer({
        cluster: { nodes: [{ host: hosts[0]!, port: fronts[0]!.port }], addressMap },
        tls,
        minConnections: 0,
        maxConnections: 1
      })))
      assert.deepStrictEqual(fronts.map(({ names }) => Array.from(new Set(names))), [[hosts[0]], [hosts[1]]])
    }).pipe(Effect.scoped), 60_000)

  it.live("that speaks TLS is found by sentinels that do not", () =>
    Effect.gen(function*() {
      const set = yield* EmbeddedRedis.sentinel({ replicas: 0, sentinels: 1 })
      const primary = yield* set.master
      const { names, port } = yield* frontOf(primary)
      const sentinel = {
        name: set.masterName,
        nodes: set.sentinels.map(({ host, port }) => ({ host, port })),
        tls: false,
        addressMap: { [`${primary.host}:${primary.port}`]: { host: "localhost", port } }
      }
      assert.strictEqual(yield* use({ sentinel, tls: { ca } }), "v")
      assert.deepStrictEqual(names, ["localhost"])
    }).pipe(Effect.scoped), 60_000)

  it.live("is reached by a socket of the machine", () =>
    Effect.gen(function*() {
      const dir = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-pools-socket-"))),
        (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
      )
      const path = join(dir, "redis.sock")
      const server = yield* EmbeddedRedis.make({ settings: { unixsocket: path }, password: "pw" })
      const password = Redacted.make("pw")
      assert.strictEqual(yield* use({ path, password }), "v")
      assert.strictEqual(yield* use({ url: Redacted.make(`unix://${path}?db=2`), password }), "v")
      assert.strictEqual(yield* use({ url: Redacted.make(`redis+unix://${path}`), password }), "v")
      assert.strictEqual(yield* server.command("DBSIZE"), 1)
      const error = yield* Effect.flip(use({ path: join(dir, "none"), password }))
      assert.include(error.message, `unix:${join(dir, "none")}`)
    }).pipe(Effect.scoped))

  it.live("is reached by a user with nothing but the rights to read and write", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddedRedis.make()
      for (const rights of [["+@read", "+@write"], ["+get", "+set"], ["+get", "+set", "+ping"]]) {
        yield* server.command("ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "&*", ...rights)
        yield* withCache(
          {
            host: server.host,
            port: server.port,
            username: "app",
            password: Redacted.make("pw"),
            minConnections: 0,
            maxConnections: 1,
            // Each lease has its connection prove itself.
            freshnessWindow: 0
          },
          Effect.gen(function*() {
            yield* Cache.set("k", "v")
            assert.strictEqual(yield* Cache.get("k"), "v", rights.join(" "))
            assert.strictEqual((yield* Cache.stats).counts.opened, 1)
          })
        ).pipe(Effect.provideService(EmbeddedRedis.EmbeddedRedis, server))
      }
    }).pipe(Effect.scoped))
})

import { HttpPool } from "@effect-pools/http"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { certificate, key } from "@effect-pools/testing/TestCertificate"
import { WebSocketPool } from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Redacted } from "effect"
import { inspect } from "node:util"

class Api extends HttpPool.Service<Api>()("test/Api") {}
class Cache extends RedisPool.Service<Cache>()("test/Cache") {}
class Chat extends WebSocketPool.Service<Chat>()("test/Chat") {}
class Db extends PostgresPool.Service<Db>()("test/Db") {}

// Nothing listens there, and nobody asks.
const lazy = { minConnections: 0 } as const

type Tls = { readonly rejectUnauthorized?: boolean; readonly key?: string; readonly cert?: string }

const url = (text: string) => Redacted.make(text)

const asUnknown = (pool: unknown): unknown => pool

/** The health and the service of a pool with these options. */
const kinds = [
  ["http", (tls: Tls) =>
    Effect.all({ health: Api.health, service: Effect.map(Api, asUnknown) }).pipe(
      Effect.provide(Api.layer({ origin: "https://127.0.0.1:1", tls, ...lazy }))
    )],
  ["redis", (tls: Tls) =>
    Effect.all({ health: Cache.health, service: Effect.map(Cache, asUnknown) }).pipe(
      Effect.provide(Cache.layer({ host: "127.0.0.1", port: 1, tls, ...lazy }))
    )],
  ["websocket", (tls: Tls) =>
    Effect.all({ health: Chat.health, service: Effect.map(Chat, asUnknown) }).pipe(
      Effect.provide(Chat.layer({ url: url("wss://127.0.0.1:1"), tls, ...lazy }))
    )],
  ["postgres", (tls: Tls) =>
    Effect.all({ health: Db.health, service: Effect.map(Db, asUnknown) }).pipe(
      Effect.provide(Db.layer({ url: url("postgres://a:b@127.0.0.1:1/c"), ssl: tls, ...lazy }))
    )]
] as const

describe("TLS of every kind", () => {
  for (const [kind, look] of kinds) {
    it.effect(`${kind}: verification that is switched off is logged once and stands in the health`, () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      return Effect.gen(function*() {
        const { health: { warnings } } = yield* look({ rejectUnauthorized: false })
        assert.deepStrictEqual(warnings.map(({ about }) => about), ["verification"])
        assert.strictEqual(lines.filter((line) => line.includes("rejectUnauthorized")).length, 1)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })

    it.effect(`${kind}: verification that is on is no warning`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* look({ rejectUnauthorized: true })).health.warnings, [])
      }))

    it.effect(`${kind}: no private key is found in a pool, however deep one looks`, () =>
      Effect.gen(function*() {
        const { service } = yield* look({ key, cert: certificate })
        const secret = key.split("\n")[3]!
        assert.isAbove(secret.length, 30)
        assert.notInclude(inspect(service, { depth: 12, showHidden: true }), secret)
      }))
  }
})

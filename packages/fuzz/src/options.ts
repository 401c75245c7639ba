/**
 * Options that make no sense. Whatever a program written without types passes, a pool is either made or refused with a
 * typed error: never a defect, never a pool that hangs.
 */
import { HttpPool } from "@effect-pools/http"
import { PostgresPool } from "@effect-pools/postgres"
import { RedisPool } from "@effect-pools/redis"
import { WebSocketPool } from "@effect-pools/websocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Dice } from "./Dice.ts"

class Db extends PostgresPool.Service<Db>()("fuzz/options/Db") {}
class Cache extends RedisPool.Service<Cache>()("fuzz/options/Cache") {}
class Api extends HttpPool.Service<Api>()("fuzz/options/Api") {}
class Chat extends WebSocketPool.Service<Chat>()("fuzz/options/Chat") {}

type Options = Readonly<Record<string, unknown>>

interface Kind {
  readonly name: string
  readonly base: Options
  readonly layer: (options: never) => Layer.Layer<never, unknown>
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "postgres",
    base: { url: Redacted.make("postgres://a:b@127.0.0.1:1/d") },
    layer: (options) => Layer.effectDiscard(Layer.build(Db.layer(options)))
  },
  {
    name: "redis",
    base: { host: "127.0.0.1", port: 1 },
    layer: (options) => Layer.effectDiscard(Layer.build(Cache.layer(options)))
  },
  {
    name: "http",
    base: { origin: "http://127.0.0.1:1" },
    layer: (options) => Layer.effectDiscard(Layer.build(Api.layer(options)))
  },
  {
    name: "websocket",
    base: { url: Redacted.make("ws://127.0.0.1:1") },
    layer: (options) => Layer.effectDiscard(Layer.build(Chat.layer(options)))
  }
]

/** Options of all kinds or of one: where a kind does not know an option it must say so. */
const names = [
  "name",
  "minConnections",
  "maxConnections",
  "acquireTimeout",
  "connectTimeout",
  "validateTimeout",
  "resetTimeout",
  "closeTimeout",
  "drainTimeout",
  "idleTimeout",
  "maxLifetime",
  "maxLifetimeJitter",
  "maxUses",
  "freshnessWindow",
  "pendingLimit",
  "healthCheck",
  "retry",
  "breaker",
  "connectRate",
  "eventBuffer",
  "leakTimeout",
  "reclaimTimeout",
  "slowAcquireTimeout",
  "startup",
  "startupTimeout",
  "metrics",
  "url",
  "host",
  "port",
  "username",
  "password",
  "database",
  "tls",
  "ssl",
  "origin",
  "basePath",
  "headers",
  "headersTimeout",
  "bodyTimeout",
  "schema",
  "correlation",
  "pongTimeout",
  "sendTimeout",
  "requestTimeout",
  "commandTimeout",
  "cluster",
  "sentinel",
  "role",
  "statementTimeout",
  "sharing",
  "sessionReset",
  "allowH2",
  "upstreams",
  "protocols",
  "maxMessageSize",
  "maxReplySize"
]

const values: ReadonlyArray<unknown> = [
  NaN,
  -1,
  -0,
  0,
  0.5,
  1,
  1e21,
  2 ** 53,
  Infinity,
  -Infinity,
  "",
  " ",
  "1",
  "abc",
  "10 seconds",
  "\u0000",
  "%00",
  "http://[",
  "a".repeat(10_000),
  null,
  true,
  false,
  10n,
  [],
  [null],
  {},
  { a: 1 },
  { failureRate: NaN },
  { nodes: [] },
  { nodes: [{ host: "", port: 70_000 }] },
  { ca: "no certificate" },
  { key: "no key" },
  new Date(NaN),
  Symbol("s"),
  () => undefined,
  new Map(),
  Redacted.make(""),
  Redacted.make(undefined),
  Object.create(null)
]

/** Random options for a random kind, as an effect that makes the pool and ends it. */
export const oddOptions = (
  dice: Dice
): { readonly kind: string; readonly options: Options; readonly make: Effect.Effect<unknown, unknown> } => {
  const { base, layer, name } = dice.pick(kinds)
  const odd = Object.fromEntries(
    Array.from({ length: 1 + dice.below(3) }, () => [dice.pick(names), dice.pick(values)])
  )
  const options = { minConnections: 0, startupTimeout: 200, connectTimeout: 200, drainTimeout: 100, ...base, ...odd }
  return { kind: name, options, make: Effect.suspend(() => Effect.provide(Effect.void, layer(options as never))) }
}

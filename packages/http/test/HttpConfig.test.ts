import { assert, describe, it } from "@effect/vitest"
import { HttpConfig, HttpConnector, HttpPool } from "@effect-pools/http"
import { PoolConfig, PoolError } from "@effect-pools/core"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"
import * as Options from "../src/internal/options.ts"

class Api extends HttpPool.Service<Api>()("app/Api") {}

const origin = "https://api.example.com"

/** Options that open nothing. */
const lazy = { minConnections: 0, metrics: false } as const

const refusal = (options: object) =>
  Effect.map(
    Effect.flip(Effect.scoped(Layer.build(Api.layerPoolOnly(options as HttpConfig.HttpOptions)))),
    ({ reason }) => {
      assert.instanceOf(reason, PoolError.InvalidOption)
      return reason as PoolError.InvalidOption
    }
  )

describe("what is refused", () => {
  const cases: ReadonlyArray<readonly [option: string, options: object]> = [
    ["origin", {}],
    ["origin", { origin: "api.example.com" }],
    ["origin", { origin: "ftp://api.example.com" }],
    ["origin", { origin: "https://api.example.com/v1" }],
    ["origin", { origin: "https://user:secret@api.example.com" }],
    ["origin", { origin: "https://api.example.com?x=1" }],
    ["origin", { origin, upstreams: [{ origin }] }],
    ["upstreams", { upstreams: [] }],
    ["upstreams", { upstreams: [{ origin }, { origin }] }],
    ["upstreams", { upstreams: [{ origin: "nonsense" }] }],
    ["upstreams", { upstreams: [{ origin, weight: 0 }] }],
    ["upstreams", { upstreams: [{ origin, wieght: 1 }] }],
    ["strategy", { origin, strategy: "roundRobin" }],
    ["strategy", { upstreams: [{ origin }], strategy: "random" }],
    ["outlierEjection", { origin, outlierEjection: false }],
    ["basePath", { origin, basePath: "v1" }],
    ["basePath", { origin, basePath: "/v1?x" }],
    ["headers", { origin, headers: { "a b": "c" } }],
    ["headers", { origin, headers: { a: "c\r\nd: e" } }],
    ["headers", { origin, headers: { a: Redacted.make("c\n") } }],
    ["headers", { origin, headers: { connection: "close" } }],
    ["headers", { origin, headers: { a: 1 } }],
    ["credentials", { origin, credentials: { authorization: "x" } }],
    ["userAgent", { origin, userAgent: "" }],
    ["headersTimeout", { origin, headersTimeout: 0 }],
    ["headersTimeout", { origin, headersTimeout: "Infinity" }],
    ["bodyTimeout", { origin, bodyTimeout: -1 }],
    ["keepAliveMargin", { origin, keepAliveMargin: "Infinity" }],
    ["maxHeaderSize", { origin, maxHeaderSize: 10 }],
    ["maxResponseSize", { origin, maxResponseSize: 1.5 }],
    ["allowH2", { origin, allowH2: "yes" }],
    ["allowH2", { origin: "http://localhost", allowH2: true }],
    ["maxConcurrentStreams", { origin, maxConcurrentStreams: 0 }],
    ["maxConcurrentStreams", { origin, allowH2: false, maxConcurrentStreams: 5 }],
    ["tls", { origin, tls: true }],
    ["tls", { origin, tls: { key: "no key" } }],
    ["tls", { origin: "http://localhost", tls: {} }],
    ["healthRequest", { origin, healthRequest: "/healthz" }],
    ["healthRequest", { origin, healthRequest: { path: "healthz" } }],
    ["healthRequest", { origin, healthRequest: { path: "/", method: "POST" } }],
    ["maxRetryAfter", { origin, maxRetryAfter: "Infinity" }],
    ["maxConnections", { origin, maxConnections: 0 }],
    ["maxConnection", { origin, maxConnection: 1 }]
  ]

  for (const [option, options] of cases) {
    it.effect(`${option} in ${JSON.stringify(options)}`, () =>
      Effect.map(refusal(options), (reason) => assert.strictEqual(reason.option, option)))
  }

  it.effect("an origin that can't be one, by the part that is wrong and without being shown", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [origin: string, rule: RegExp]> = [
        ["api.example.com", /must begin with http:\/\/ or https:/],
        ["https://api.example.com:99999", /port from 1 to 65535/],
        ["https://user:s3cret@api.example.com", /no user and no password/],
        ["https://api.example.com/s3cret", /a path is given as basePath/],
        ["https://api.example.com?s3cret", /nothing after host and port/],
        ["https://api.example.com#s3cret", /no fragment/]
      ]
      for (const [origin, rule] of wrong) {
        const one = yield* refusal({ origin })
        assert.match(one.rule, rule)
        assert.notInclude(one.message, "s3cret")
        const many = yield* refusal({ upstreams: [{ origin }] })
        assert.deepStrictEqual([many.option, many.rule], ["upstreams", one.rule])
      }
    }))

  it.effect("a connector of one's own has one origin", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(HttpConnector.make({ upstreams: [{ origin }] })))
      assert.strictEqual(error.option, "upstreams")
      const another = yield* Effect.flip(Effect.scoped(HttpConnector.make({ origin, maxRetryAfter: "1 minute" })))
      assert.strictEqual(another.option, "maxRetryAfter")
    }))
})

describe("what is accepted", () => {
  it.effect("the pool has the kind's defaults, and the id as its name", () =>
    Effect.gen(function*() {
      const { config, name } = yield* Api
      assert.strictEqual(name, "app/Api")
      assert.deepInclude(config, { kind: "http", maxConnections: 10, idleTimeout: 120_000 })
    }).pipe(Effect.provide(Api.layerPoolOnly({ ...lazy, origin }))))

  it.effect("a host with TLS and without it are two upstreams", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Api).name, "app/Api")
    }).pipe(
      Effect.provide(
        Api.layerPoolOnly({ ...lazy, upstreams: [{ origin: "https://host.test" }, { origin: "http://host.test" }] })
      )
    ))

  it.effect("several upstreams are one pool, named after the class", () =>
    Effect.gen(function*() {
      const { config, name } = yield* Api
      assert.strictEqual(name, "app/Api")
      assert.strictEqual(config.maxConnections, 8)
    }).pipe(
      Effect.provide(Api.layerPoolOnly({
        ...lazy,
        maxConnections: 4,
        upstreams: [{ origin: "https://a.example.com" }, { origin: "https://b.example.com" }]
      }))
    ))

  it.effect("options come from the configuration", () => {
    const layer = Api.layerPoolOnlyConfig({
      origin: Config.String("ORIGIN"),
      maxConnections: Config.Int("MAX"),
      minConnections: Config.succeed(0),
      metrics: Config.succeed(false)
    })
    const provider = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ORIGIN: origin, MAX: "7" }))
    return Effect.map(Api, ({ config }) => assert.strictEqual(config.maxConnections, 7)).pipe(
      Effect.provide(Layer.provide(layer, provider))
    )
  })
})

describe("fromEnv", () => {
  const read = (env: Record<string, string>) => HttpConfig.fromEnv.parse(ConfigProvider.fromEnvRecord(env))

  it.effect("reads the origin, the base path and the options of the pool", () =>
    Effect.gen(function*() {
      const env = { HTTP_ORIGIN: "https://api.test", HTTP_BASE_PATH: "/v1", POOL_MAX_CONNECTIONS: "7" }
      assert.deepStrictEqual(yield* read(env), { origin: "https://api.test", basePath: "/v1", maxConnections: 7 })
      assert.deepStrictEqual(yield* read({}), {})
    }))
})

describe("the presets", () => {
  it.effect("are accepted by the pool, and have their own sizes and limits", () =>
    Effect.gen(function*() {
      for (const preset of Object.values(HttpConfig.presets)) {
        const { members } = yield* Effect.fromResult(Options.check({ origin, ...preset }, "app/Api"))
        const config = yield* PoolConfig.make(HttpConfig.kind, "app/Pool", members[0]!.pool)
        assert.strictEqual(config.maxConnections, preset.maxConnections)
        assert.isBelow(config.maxConnections, 51)
      }
      const low = yield* Effect.fromResult(Options.check({ origin, ...HttpConfig.presets.lowLatency }, "app/Api"))
      assert.strictEqual(low.members[0]!.settings.headersTimeout, 5000)
    }))
})

import * as PoolConfig from "@effect-pools/core/PoolConfig"
import { PoolError } from "@effect-pools/core/PoolError"
import { RedisConfig, RedisConnector, RedisPool } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"
import * as Options from "../src/internal/options.ts"
import { Cache } from "./support.ts"

const refusal = (options: unknown) =>
  Effect.map(Effect.flip(RedisPool.make(options as RedisConfig.RedisOptions)), (error) => {
    assert.instanceOf(error, PoolError)
    return error.reason._tag === "InvalidOption" ? error.reason : assert.fail(error.message)
  }).pipe(Effect.scoped)

const url = (text: string) => ({ url: Redacted.make(text) })

const checked = (options: RedisConfig.RedisOptions) =>
  Effect.map(Effect.fromResult(Options.check(options, "app/Cache")), ({ settings }) => settings)

describe("options", () => {
  it.effect("each must be what it is said to be", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [keyof RedisConfig.RedisOptions, ReadonlyArray<unknown>]> = [
        ["url", ["redis://localhost", Redacted.make(1)]],
        ["host", ["", 1, "a\0b"]],
        ["port", [0, 65_536, 1.5, "6379"]],
        ["path", ["", "redis.sock", 1]],
        ["cluster", [{ nodes: [{ host: "a", port: 1 }], addressMap: { a: { host: "b", port: 1 } } }]],
        ["cluster", [{ nodes: [{ host: "a", port: 1 }], addressMap: { "a:1": { host: "b" } } }]],
        ["username", ["", 1]],
        ["password", ["secret", Redacted.make(1)]],
        ["db", [-1, 1.5, "0"]],
        ["tls", ["yes", 1]],
        ["family", [5, "4"]],
        ["clientName", ["", "two words", "é"]],
        ["keepAlive", ["999 millis", "Infinity", "soon"]],
        ["commandTimeout", [0, "Infinity", -1, "soon"]],
        ["maxReplySize", [0, 65_535, 1e6 + 0.5, Infinity]],
        ["sharing", [0, 1.5, 1025]],
        ["cluster", [{}, { nodes: [] }, { nodes: [{ host: "a" }] }, { nodes: [{ host: "a", port: 0 }] }]],
        ["cluster", [{ nodes: [{ host: "a", port: 1 }], maxRedirections: 0 }, {
          nodes: [{ host: "a", port: 1 }],
          x: 1
        }]],
        ["sentinel", [{ nodes: [{ host: "a", port: 1 }] }, {
          nodes: [{ host: "a", port: 1 }],
          name: "m",
          role: "master"
        }]],
        ["sentinel", [{ nodes: [{ host: "a", port: 1 }], name: "m", password: "s3cret" }]]
      ]
      for (const [option, values] of bad) {
        for (const value of values) {
          const reason = yield* refusal({ [option]: value })
          assert.strictEqual(reason.option, option, JSON.stringify(value))
          assert.include(reason.rule, "must be")
          assert.notInclude(reason.message, "s3cret")
        }
      }
    }))

  it.effect("an unknown one is refused, and so are those of the pool", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* refusal({ hots: "localhost" })).option, "hots")
      assert.strictEqual((yield* refusal({ maxConnections: 0 })).option, "maxConnections")
    }))

  it.effect("those that contradict each other are refused", () =>
    Effect.gen(function*() {
      const cluster = { nodes: [{ host: "a", port: 1 }] }
      const sentinel = { nodes: [{ host: "a", port: 1 }], name: "m" }
      const bad: ReadonlyArray<readonly [string, object]> = [
        ["host", { ...url("redis://localhost"), host: "b" }],
        ["port", { ...url("redis://localhost"), port: 1 }],
        ["port", { cluster, port: 1 }],
        ["cluster", { host: "a", cluster }],
        ["sentinel", { cluster, sentinel }],
        ["username", { ...url("redis://a:b@localhost"), username: "a" }],
        ["password", { ...url("redis://a:b@localhost"), password: Redacted.make("c") }],
        ["db", { ...url("redis://localhost/1"), db: 1 }],
        ["tls", { ...url("rediss://localhost"), tls: false }],
        ["db", { cluster, db: 1 }],
        ["username", { username: "a" }],
        ["path", { host: "a", path: "/a" }],
        ["port", { path: "/a", port: 1 }],
        ["tls", { path: "/a", tls: true }],
        ["tls", { ...url("unix:///a"), tls: {} }],
        ["family", { path: "/a", family: 4 }],
        ["tls", { tls: { key: "s3cret" } }],
        ["tls", { tls: { minVersion: "TLSv9" } }],
        ["sentinel", { sentinel: { ...sentinel, tls: { pfx: "s3cret" } } }],
        ["sentinel", { sentinel: { ...sentinel, username: "a" } }]
      ]
      for (const [option, options] of bad) assert.strictEqual((yield* refusal(options)).option, option)
    }))

  it.effect("a url that can't be read is refused by its part, without being shown", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [text: string, rule: RegExp]> = [
        ["s3cret", /must begin with redis/],
        ["http://s3cret@localhost", /must begin with redis/],
        ["redis://s3cret@localhost/x", /no path but the number of a database/],
        ["redis://:s3cret@localhost?password=s3cret", /no parameters/],
        ["redis://:%zzs3cret@localhost", /its password percent-encoded/],
        ["redis://%zz:s3cret@localhost", /its user percent-encoded/],
        ["redis://:s3cret@localhost:0", /port from 1 to 65535/],
        ["redis://:s3cret@localhost:many", /port from 1 to 65535/],
        ["redis://localhost/0#s3cret", /no fragment/],
        ["unix://:s3cret@/run/redis.sock", /no user and no password/],
        ["unix://s3cret/run", /path of a socket/],
        ["unix:///run/redis.sock?s3cret=1", /no parameter but/],
        ["unix:///run/redis.sock?db=s3cret", /no parameter but/]
      ]
      for (const [text, rule] of wrong) {
        const reason = yield* refusal(url(text))
        assert.strictEqual(reason.option, "url")
        assert.match(reason.rule, rule)
        assert.notInclude(reason.message, "s3cret")
      }
    }))

  it.effect("a url says where, who, which database and whether to encrypt", () =>
    Effect.gen(function*() {
      const settings = yield* checked(url("rediss://us%40er:p%2Fss@[::1]:7000/3"))
      assert.deepStrictEqual(settings.topology, { _tag: "standalone", address: { host: "::1", port: 7000 } })
      assert.strictEqual(settings.username, "us@er")
      assert.strictEqual(Redacted.value(settings.password as Redacted.Redacted), "p/ss")
      assert.strictEqual(settings.db, 3)
      assert.deepStrictEqual(settings.tls, {})
      const short = yield* checked(url("redis://cache"))
      assert.deepStrictEqual(short.topology, { _tag: "standalone", address: { host: "cache", port: 6379 } })
      assert.isUndefined(short.tls)
      assert.deepStrictEqual((yield* checked(url("valkeys://cache"))).tls, {})
      assert.isUndefined((yield* checked(url("valkey://cache"))).tls)
      const socket = yield* checked(url("unix:///run/redis%20a.sock?db=4"))
      const address = { host: "", port: 0, path: "/run/redis a.sock" }
      assert.deepStrictEqual([socket.topology, socket.db], [{ _tag: "standalone", address }, 4])
    }))

  it.effect("defaults are as they are said to be", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* checked({}), {
        topology: { _tag: "standalone", address: { host: "localhost", port: 6379 } },
        username: undefined,
        password: undefined,
        db: 0,
        tls: undefined,
        family: 0,
        clientName: "app/Cache",
        keepAlive: 30_000,
        commandTimeout: 10_000,
        maxReplySize: 134_217_728,
        sharing: 128,
        warnings: []
      })
      const named = yield* checked({ name: "my cache é" })
      assert.strictEqual(named.clientName, "my_cache__")
      const cluster = yield* checked({ cluster: { nodes: [{ host: "a", port: 1 }] } })
      assert.isTrue(cluster.topology._tag === "cluster" && cluster.topology.maxRedirections === 16)
    }))

  it.effect("a connector checks them as well", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RedisConnector.make({ port: 0 }))
      assert.strictEqual(error.option, "port")
      const connector = yield* RedisConnector.make({ sharing: 7 })
      assert.strictEqual(connector.sharers, 7)
      assert.strictEqual(connector.joins, "busiest")
    }))
})

describe("the environment", () => {
  const read = (env: Record<string, string>) =>
    Effect.provide(RedisConfig.fromEnv, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))

  it.effect("gives what is there, and leaves out what is not", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({}), {})
      const options = yield* read({
        REDIS_HOST: "cache",
        REDIS_PORT: "7000",
        REDIS_USERNAME: "app",
        REDIS_PASSWORD: "s3cret",
        REDIS_DB: "2",
        REDIS_TLS: "true",
        POOL_MAX_CONNECTIONS: "4"
      })
      const { password, ...rest } = options
      assert.deepStrictEqual(rest, { host: "cache", port: 7000, username: "app", db: 2, tls: true, maxConnections: 4 })
      assert.strictEqual(Redacted.value(password as Redacted.Redacted), "s3cret")
      const { url } = yield* read({ REDIS_URL: "redis://cache" })
      assert.strictEqual(Redacted.value(url!), "redis://cache")
    }))

  it.effect("what is invalid fails, and a layer reads it", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(read({ REDIS_PORT: "x" })))._tag, "ConfigError")
      const provider = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ CACHE_PORT: "0" }))
      const layer = Cache.layerPoolOnlyConfig({ port: Config.Int("CACHE_PORT") }).pipe(Layer.provide(provider))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.isTrue(error._tag === "PoolError" && error.reason._tag === "InvalidOption")
    }))
})

describe("the presets", () => {
  it.effect("are accepted by the pool, and have their own sizes and limits", () =>
    Effect.gen(function*() {
      for (const preset of Object.values(RedisConfig.presets)) {
        const { pool } = yield* Effect.fromResult(Options.check(preset, "app/Cache"))
        const config = yield* PoolConfig.make(RedisConfig.kind, "app/Pool", pool)
        assert.strictEqual(config.maxConnections, preset.maxConnections)
        assert.isBelow(config.maxConnections, 51)
      }
      const { settings } = yield* Effect.fromResult(Options.check(RedisConfig.presets.lowLatency, "app/Cache"))
      assert.strictEqual(settings.commandTimeout, 1000)
    }))
})

import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { type RedisConfig, RedisConnector, RedisPool } from "@effect-pools/redis"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Logger, Redacted, Schedule, Stream } from "effect"
import { inspect } from "node:util"
import * as FakeServer from "./fixtures/fakeServer.ts"
import { eventually } from "./support.ts"

const password = "pass-8c1f"
const value = "value-8c1f"
const secrets = [password, value]

/** Everything that can be seen of something, however deep. */
const seen = (what: unknown): string => `${inspect(what, { depth: 20, showHidden: true })} ${String(what)}`

const mustNotShow = (what: unknown, where: string): void => {
  const text = typeof what === "string" ? what : seen(what)
  for (const secret of secrets) assert.notInclude(text, secret, where)
}

layer(EmbeddedRedis.layer({ password }), { excludeTestServices: true, timeout: "1 minute" })("secrets", (it) => {
  it.effect("are in no error, event, log line or page", () => {
    const lines: Array<string> = []
    const logger = Logger.make((options) => {
      lines.push(seen([options.message, options.cause]))
    })
    return Effect.gen(function*() {
      const { port } = yield* EmbeddedRedis.EmbeddedRedis
      const options = { host: "127.0.0.1", port, minConnections: 0, maxConnections: 1 } as const
      const pool = yield* RedisPool.make({
        ...options,
        password: Redacted.make(password),
        commandTimeout: "500 millis"
      })
      const redis = pool
      const events: Array<unknown> = []
      const reader = yield* Effect.forkScoped(
        Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))),
        { startImmediately: true }
      )
      const errors = yield* Effect.all([
        Effect.flip(redis.command("SET", "k", value, value)),
        Effect.flip(pool.withConnection((redis) => redis.command("AUTH", "nobody", value))),
        Effect.flip(redis.command("NOSUCH", value)),
        Effect.flip(redis.script("return redis.error_reply(ARGV[1])", { args: [value] })),
        Effect.flip(redis.multi((redis) => [redis.set("k", value), redis.command("NOSUCH", value)])),
        Effect.flip(
          pool.withConnection((redis) =>
            Effect.andThen(Effect.timeoutOption(redis.blpop([value], "Infinity"), "20 millis"), redis.get(value))
          )
        ),
        Effect.flip(
          pool.withConnection((redis) =>
            Effect.andThen(
              redis.set("k", value),
              Effect.andThen(
                redis.command("CLIENT", "KILL", "ID", redis.clientId ?? 0, "SKIPME", "no"),
                redis.get(value)
              )
            )
          )
        )
      ])
      errors.forEach((error, i) => mustNotShow(error, `error ${i}`))
      yield* pool.withConnection((redis) => Effect.andThen(redis.command("MULTI"), redis.command("SET", "k", value)))
      mustNotShow(yield* pool.connections, "connections")
      mustNotShow(yield* pool.stats, "stats")
      mustNotShow(pool.config, "config")
      const wrong = yield* Effect.flip(Effect.scoped(RedisPool.make({
        ...options,
        minConnections: 1,
        password: Redacted.make(value)
      })))
      mustNotShow(wrong, "a failed dial")
      yield* pool.drain
      yield* Fiber.interrupt(reader)
      assert.isNotEmpty(events)
      mustNotShow(events, "events")
      assert.isNotEmpty(lines)
      mustNotShow(lines.join("\n"), "the log")
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })

  it.effect("are not kept by a connection or a connector", () =>
    Effect.gen(function*() {
      const { port } = yield* EmbeddedRedis.EmbeddedRedis
      const connector = yield* RedisConnector.make({ host: "127.0.0.1", port, password: Redacted.make(password) })
      const session = yield* connector.connect({ onBroken: () => {}, onEnded: () => {} })
      const lent = connector.lend!(session)
      yield* lent.set("k", value)
      yield* lent.get("k")
      mustNotShow(session, "the session")
      mustNotShow(lent, "the lease")
      mustNotShow(connector, "the connector")
    }).pipe(Effect.scoped))
})

const canary = "CANARY"

/** Whatever a server says while it is dialled, and whoever hears of it. */
const dialled = (server: FakeServer.FakeServer, options: RedisConfig.RedisOptions = {}) =>
  Effect.gen(function*() {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ cause, message }) => void lines.push(message, cause))
    const exit = yield* Effect.exit(
      Effect.scoped(RedisPool.make({
        host: "127.0.0.1",
        port: server.port,
        connectTimeout: "1 second",
        retry: Schedule.recurs(0),
        ...options
      })).pipe(Effect.provide(Logger.layer([logger])))
    )
    const seenOfIt = seen([exit, lines])
    assert.include(seenOfIt, "127.0.0.1")
    assert.notInclude(seenOfIt, canary)
  })

describe("secrets of a dial", () => {
  for (
    const said of [
      `-ERR unknown command 'AUTH', with args beginning with: '${canary}' \r\n`,
      `-WRONGPASS no user with password ${canary}\r\n`,
      `+${canary}\r\n+${canary}\r\n+${canary}\r\n+${canary}\r\n+${canary}\r\n`,
      `${canary}\r\n`
    ]
  ) {
    it.live(`are not repeated after a server that says ${JSON.stringify(said)}`, () =>
      Effect.gen(function*() {
        const server = yield* FakeServer.make((command) =>
          command.startsWith("AUTH") ? said : FakeServer.polite(command)
        )
        yield* dialled(server, { password: Redacted.make(canary) })
      }).pipe(Effect.scoped))
  }

  it.live("are not told by a handshake that fails", () =>
    Effect.gen(function*() {
      const server = yield* FakeServer.make(() => `${canary}\r\n`)
      yield* dialled(server, { password: Redacted.make(canary), tls: true })
    }).pipe(Effect.scoped))

  it.live("are not told by a URL that is refused", () =>
    Effect.gen(function*() {
      for (
        const url of [
          `redis://user:${canary}@host:99999`,
          `http://user:${canary}@host`,
          `redis://user:${canary}@host/not-a-number`,
          `redis://user:%zz${canary}@host`,
          `redis://user:${canary}@host?password=${canary}`,
          canary
        ]
      ) {
        const error = yield* Effect.flip(Effect.scoped(RedisPool.make({ url: Redacted.make(url) })))
        assert.strictEqual(error.reason._tag, "InvalidOption", url)
        assert.notInclude(seen(error), canary)
      }
    }))
})

layer(EmbeddedRedis.layer(), { excludeTestServices: true })("secrets of others", (it) => {
  it.effect("that MONITOR tells of end the connection that nobody reads, and are told to nobody", () =>
    Effect.gen(function*() {
      const redis = yield* EmbeddedRedis.EmbeddedRedis
      const lines: Array<unknown> = []
      const logger = Logger.make(({ cause, message }) => void lines.push(message, cause))
      yield* Effect.gen(function*() {
        const pool = yield* RedisPool.make({ url: redis.url, minConnections: 0, maxConnections: 1 })
        const events: Array<unknown> = []
        yield* Effect.forkScoped(
          Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))),
          { startImmediately: true }
        )
        const error = yield* Effect.flip(pool.withConnection((lent) =>
          lent.command("MONITOR").pipe(
            Effect.andThen(redis.command("SET", "k", canary)),
            Effect.andThen(Effect.sleep("100 millis")),
            Effect.andThen(lent.ping())
          )
        ))
        const activity = yield* pool.connections
        mustNotShow(activity, "activity")
        yield* eventually("it is closed", Effect.map(pool.stats, ({ counts }) => counts.closed === 1))
        assert.notInclude(seen([error, events, activity, lines]), canary)
        assert.include(error.message, "nobody asked for")
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
    }))
})

import * as EmbeddedRedis from "@effect-pools/testing/EmbeddedRedis"
import { RedisConnector, RedisPool } from "@effect-pools/redis"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Logger, Redacted, Stream } from "effect"
import { inspect } from "node:util"

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
      const redis = RedisPool.commands(pool)
      const events: Array<unknown> = []
      const reader = yield* Effect.forkScoped(
        Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))),
        { startImmediately: true }
      )
      const errors = yield* Effect.all([
        Effect.flip(redis.command("SET", "k", value, value)),
        Effect.flip(redis.command("AUTH", "nobody", value)),
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
      const session = yield* connector.connect({ onBroken: () => {} })
      const lent = connector.lend!(session)
      yield* lent.set("k", value)
      yield* lent.get("k")
      mustNotShow(session, "the session")
      mustNotShow(lent, "the lease")
      mustNotShow(connector, "the connector")
    }).pipe(Effect.scoped))
})

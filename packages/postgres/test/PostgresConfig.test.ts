import { PoolConfig, PoolError } from "@effect-pools/core"
import { PostgresConfig, PostgresConnector } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Exit, Redacted, Result } from "effect"
import { Reactivity } from "effect/reactivity"
import { inspect } from "node:util"
import * as Options from "../src/internal/options.ts"
import type { ConnectionSettings } from "../src/internal/settings.ts"
import { Db } from "./support.ts"

const url = (text: string) => ({ url: Redacted.make(text) })

const settings = (options: PostgresConfig.PostgresOptions): ConnectionSettings =>
  Result.getOrThrow(Options.check(options, "app/Db")).settings

const refusal = (options: Record<string, unknown>): readonly [option: string, rule: string] => {
  const checked = Options.check(options, "app/Db")
  return Result.isFailure(checked) ? [checked.failure.option, checked.failure.rule] : assert.fail("it was accepted")
}

describe("the options of a server", () => {
  it("by default lead to localhost, in plain text, under the pool's name", () => {
    const { applicationName, driver, host, password, port, role, sessionReset, ssl, startupParameters } = settings({})
    assert.deepStrictEqual(
      { applicationName, host, password, port, role, sessionReset, ssl, startupParameters },
      {
        applicationName: "app/Db",
        host: "localhost",
        password: undefined,
        port: 5432,
        role: "any",
        sessionReset: "whenNeeded",
        ssl: false,
        startupParameters: {}
      }
    )
    assert.strictEqual(driver.keepAlive, 30_000)
  })

  it("are read from the forms of URLs that providers hand out", () => {
    const read = (text: string) => {
      const { database, driver, host, port, requireAuth, username } = settings(url(text))
      return [username, host, port, database, driver.keepAlive, requireAuth]
    }
    assert.deepStrictEqual(read("postgres://u:p@/d?host=/cloudsql/x:y:z"), [
      "u",
      "/cloudsql/x:y:z",
      5432,
      "d",
      30_000,
      undefined
    ])
    assert.deepStrictEqual(read("postgres://u:p@localhost/d?host=/tmp&port=1"), [
      "u",
      "/tmp",
      1,
      "d",
      30_000,
      undefined
    ])
    assert.deepStrictEqual(read("postgres://u:p@:6543/d"), ["u", "localhost", 6543, "d", 30_000, undefined])
    assert.deepStrictEqual(
      read("postgres://u@h/d?gssencmode=prefer&keepalives_idle=7&require_auth=md5,scram-sha-256&sslsni=1"),
      ["u", "h", 5432, "d", 7000, ["md5", "scram-sha-256"]]
    )
  })

  it("become settings of the session", () => {
    const { startupParameters } = settings({
      statementTimeout: "1.5 seconds",
      idleInTransactionTimeout: Duration.minutes(1),
      searchPath: ["a", "b\"c"],
      settings: { Lock_Timeout: "5s", "app.tenant": "acme" }
    })
    assert.deepStrictEqual(startupParameters, {
      statement_timeout: "1500",
      idle_in_transaction_session_timeout: "60000",
      search_path: "\"a\", \"b\"\"c\"",
      lock_timeout: "5s",
      "app.tenant": "acme"
    })
  })

  it("are taken from a URL, percent-decoded", () => {
    const s = settings(
      url("postgresql://us%40er:p%2Fw%3A%20d@db.example.com:6432/my%20db?sslmode=verify-full&application_name=me")
    )
    assert.strictEqual(s.host, "db.example.com")
    assert.strictEqual(s.port, 6432)
    assert.strictEqual(s.database, "my db")
    assert.strictEqual(s.username, "us@er")
    assert.strictEqual(Redacted.isRedacted(s.password) && Redacted.value(s.password), "p/w: d")
    assert.isTrue(s.ssl)
    assert.strictEqual(s.applicationName, "me")
  })

  it("may be parameters of a URL", () => {
    const s = settings(
      url(
        "postgres:///?host=/run/pg&port=1&user=u&password=p%26w&dbname=d&options=-c%20a=b&target_session_attrs=read-write"
      )
    )
    assert.deepStrictEqual([s.host, s.port, s.username, s.database, s.startupOptions, s.role], [
      "/run/pg",
      1,
      "u",
      "d",
      "-c a=b",
      "primary"
    ])
    assert.strictEqual(settings(url("postgres://[::1]/")).host, "::1")
    const { pool } = Result.getOrThrow(Options.check(url("postgres://h/?connect_timeout=3"), "p"))
    assert.deepStrictEqual(pool, { connectTimeout: 3000, name: "p" })
  })

  it("keep the password apart from the URL if told so", () => {
    const password = Effect.succeed(Redacted.make("rotating"))
    assert.strictEqual(settings({ ...url("postgres://u@h/d"), password }).password, password)
  })

  const refused: ReadonlyArray<readonly [options: Record<string, unknown>, option: string, rule: RegExp]> = [
    [{ ...url("postgres://h/d"), host: "h" }, "host", /beside url/],
    [{ ...url("postgres://h/d"), port: 1 }, "port", /beside url/],
    [{ ...url("postgres://h/d"), database: "d" }, "database", /beside url/],
    [{ ...url("postgres://h/d"), username: "u" }, "username", /beside url/],
    [{ ...url("postgres://u:p@h/d"), password: Redacted.make("q") }, "password", /said by url already/],
    [{ ...url("postgres://h/d?sslmode=require"), ssl: true }, "ssl", /said by url already/],
    [{ ...url("postgres://h/d?application_name=a"), applicationName: "b" }, "applicationName", /said by url already/],
    [{ ...url("postgres://h/d?connect_timeout=1"), connectTimeout: 1 }, "connectTimeout", /said by url already/],
    [{ ...url("postgres://h/d?target_session_attrs=any"), role: "any" }, "role", /said by url already/],
    [{ url: "postgres://h/d" }, "url", /must be a Redacted text/],
    [url("mysql://h/d"), "url", /must begin with postgres/],
    [url("h"), "url", /must begin with postgres/],
    [url("postgres://h:99999/d"), "url", /port from 1 to 65535$/],
    [url("postgres://u%zz:p@h/d"), "url", /its user percent-encoded/],
    [url("postgres://u:%zz@h/d"), "url", /its password percent-encoded/],
    [url("postgres://u:p@h%zz/d"), "url", /its host percent-encoded/],
    [url("postgres://u:p@h/d%zz"), "url", /its database percent-encoded/],
    [url("postgres://u:a#b@h/d"), "url", /user and password percent-encoded/],
    [url("postgres://h1,h2/d"), "url", /one host/],
    [url("postgres://u:p@h1:1,h2:2/d"), "url", /one host: give each of several servers a pool of its own/],
    [url("postgres://h/d?gssencmode=require"), "url", /has a gssencmode that this pool does not have/],
    [url("postgres://h/d?passfile=/x"), "url", /parameter passfile of libpq/],
    [url("postgres://h/d?require_auth=gss"), "url", /require_auth that is no list of none, password/],
    [url("postgres://h/d?sslrootcert=/x&sslrootcert=/y"), "url", /sslrootcert twice/],
    [url("postgres://h/d?sslrootcert=/x"), "url", /TLS without TLS: add sslmode/],
    [url("postgres://h/d?sslmode=require&sslrootcert=/nowhere"), "url", /can't be read: ENOENT/],
    [{ ...url("postgres://h/d?sslmode=disable"), ssl: { ca: "x" } }, "ssl", /said by url already/],
    [{ ssl: { ciphers: "NOPE" } }, "ssl", /can't be used by node:tls: .*no cipher match/],
    [{ requireAuth: [] }, "requireAuth", /a list of none, password, md5, scram-sha-256/],
    [{ requireAuth: ["gss"] }, "requireAuth", /a list of/],
    [url("postgres://h/d?sslmode=prefer"), "url", /sslmode=prefer.*require or disable/],
    [url("postgres://h/d?sslmode=allow"), "url", /sslmode=allow/],
    [url("postgres://h/d?sslmode=no-verify"), "url", /none of disable/],
    [url("postgres://h/d?channel_binding=require"), "url", /channel_binding/],
    [url("postgres://h/d?target_session_attrs=sometimes"), "url", /target_session_attrs/],
    [url("postgres://h/d?connect_timeout=-1"), "url", /connect_timeout/],
    [url("postgres://h/d?schema=public"), "url", /parameter schema.*not known/],
    [url("postgres://h:1/d?port=2"), "url", /port twice/],
    [url("postgres:///d?port=x"), "url", /port from 1.*parameter port/],
    [{ host: "" }, "host", /text/],
    [{ host: "a\0b" }, "host", /NUL/],
    [{ port: "5432" }, "port", /integer from 1 to 65535/],
    [{ port: 0 }, "port", /integer from 1 to 65535/],
    [{ port: Number.NaN }, "port", /integer/],
    [{ database: 1 }, "database", /text/],
    [{ username: null }, "username", /text/],
    [{ password: "plain" }, "password", /Redacted/],
    [{ ssl: "require" }, "ssl", /node:tls/],
    [{ ssl: { key: "no key" } }, "ssl", /can't be used by node:tls/],
    [{ ssl: { minVersion: "TLSv9" } }, "ssl", /can't be used by node:tls/],
    [{ applicationName: "" }, "applicationName", /text/],
    [{ statementTimeout: 0 }, "statementTimeout", /finite duration/],
    [{ statementTimeout: "Infinity" }, "statementTimeout", /finite duration/],
    [{ statementTimeout: "soon" }, "statementTimeout", /finite duration/],
    [{ idleInTransactionTimeout: -1 }, "idleInTransactionTimeout", /finite duration/],
    [{ searchPath: "public" }, "searchPath", /list/],
    [{ searchPath: [] }, "searchPath", /list/],
    [{ settings: { a: 1 } }, "settings", /texts/],
    [{ settings: { User: "root" } }, "settings", /can't set "User"/],
    [{ settings: { "a b": "c" } }, "settings", /can't set/],
    [{ settings: { statement_timeout: "1s" }, statementTimeout: 1 }, "settings", /said by statementTimeout/],
    [{ settings: { search_path: "a" }, searchPath: ["a"] }, "settings", /said by searchPath/],
    [{ role: "leader" }, "role", /"any" or "primary" or "standby"/],
    [{ sessionReset: true }, "sessionReset", /"whenNeeded" or "always"/],
    [{ sharing: 0 }, "sharing", /integer from 1 to 128/],
    [{ keepAlive: "10 millis" }, "keepAlive", /at least 1 second/],
    [{ prepare: "no" }, "prepare", /true or false/],
    [{ preparedStatementCacheSize: 0 }, "preparedStatementCacheSize", /integer from 1/],
    [{ prepare: false, preparedStatementCacheSize: 5 }, "preparedStatementCacheSize", /no effect/],
    [{ maxMessageSize: 1 }, "maxMessageSize", /integer from 1024/],
    [{ types: 1 }, "types", /object/],
    [{ spanAttributes: 1 }, "spanAttributes", /object/],
    [{ transformResultNames: "camel" }, "transformResultNames", /function/],
    [{ transformQueryNames: 1 }, "transformQueryNames", /function/],
    [{ transformJson: true }, "transformJson", /no effect/],
    [{ transformJson: 1 }, "transformJson", /true or false/]
  ]
  for (const [options, option, rule] of refused) {
    const { url, ...rest } = options
    const shown = Redacted.isRedacted(url) ? { url: Redacted.value(url), ...rest } : options
    it(`refuse ${inspect(shown, { breakLength: Infinity })}`, () => {
      const [name, why] = refusal(options)
      assert.strictEqual(name, option)
      assert.match(why, rule)
    })
  }

  it("refuse without repeating a secret", () => {
    const canary = "c4n%61ry-s3cret"
    const wrong = [
      url(`postgres://u:${canary}#x@h/d`),
      url(`postgres://u:${canary}@h:port/d`),
      url(`postgres://u:${canary}%zz@h/d`),
      url(`mysql://u:${canary}@h/d`),
      url(`postgres://h/d?sslmode=${canary}`),
      url(`postgres://h/d?${canary}=1`),
      url(`postgres://h/d?port=${canary}`),
      url(`postgres://u:x?${canary}@h/d`),
      { url: `postgres://u:${canary}@h/d` },
      { password: canary },
      { host: { password: canary } },
      { settings: { password: 1, x: canary } },
      { searchPath: canary }
    ]
    for (const options of wrong) {
      const told = inspect(Options.check(options as never, "p"), { depth: 10 }) + refusal(options).join()
      for (const form of [canary, decodeURIComponent(canary)]) assert.notInclude(told, form)
    }
  })

  it.effect("fail the layer with PoolError, and so does an option that is unknown to both", () =>
    Effect.gen(function*() {
      for (
        const [options, option] of [[{ port: -1 }, "port"], [{ hots: "x" }, "hots"], [
          { maxConnections: 0 },
          "maxConnections"
        ]] as const
      ) {
        const exit = yield* Effect.exit(
          Effect.provide(Db, Db.layer({ username: "u", ...options } as PostgresConfig.PostgresOptions))
        )
        const error = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
        assert.isTrue(
          error?._tag === "Fail" && error.error instanceof PoolError.PoolError &&
            error.error.reason._tag === "InvalidOption" && error.error.reason.option === option
        )
      }
    }))
})

describe("who logs in", () => {
  const userOf = (options: PostgresConfig.PostgresOptions, env: Record<string, string>) =>
    Effect.map(
      Effect.andThen(withEnv(env), Options.checkWithUser(options, "app/Db")),
      ({ settings }) => settings.username
    ).pipe(Effect.scoped)

  it.effect("is who the options name, or else who runs the program", () =>
    Effect.gen(function*() {
      const env = { USER: "me", USERNAME: "myself" }
      assert.strictEqual(yield* userOf({ username: "u" }, env), "u")
      assert.strictEqual(yield* userOf(url("postgres://u@h/d"), env), "u")
      assert.strictEqual(yield* userOf(url("postgres://h/d"), env), "me")
      assert.strictEqual(yield* userOf({}, { USER: "", USERNAME: "myself" }), "myself")
    }))

  it.effect("must be said where the environment does not tell", () =>
    Effect.gen(function*() {
      const inUrl = yield* Effect.flip(userOf(url("postgres://:s3cret@h/d"), {}))
      assert.strictEqual(inUrl.option, "url")
      assert.match(inUrl.rule, /must name a user, as in postgres:\/\/user@host.*neither USER nor USERNAME/)
      assert.notInclude(inUrl.rule, "s3cret")
      const { option, rule } = yield* Effect.flip(userOf({ host: "h" }, { USER: "" }))
      assert.strictEqual(option, "username")
      assert.match(rule, /must be given.*DATABASE_USER.*neither USER nor USERNAME/)
    }))

  it.effect("is asked for by the layer and by the connector", () =>
    Effect.gen(function*() {
      yield* withEnv({})
      const pool = yield* Effect.flip(Effect.provide(Db, Db.layer(url("postgres://h/d"))))
      assert.include(pool.message, "app/Db: option url: must name a user")
      const connector = yield* Effect.flip(PostgresConnector.make({ host: "h" }))
      assert.strictEqual(connector.option, "username")
    }).pipe(Effect.provide(Reactivity.layer)))
})

/** Until the scope ends, the environment is what is given and nothing else. */
const withEnv = (env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env
      process.env = env
      return before
    }),
    (before) => Effect.sync(() => process.env = before)
  )

describe("presets", () => {
  it("end a statement that takes longer than their kind of program may wait", () => {
    const timeouts = Object.entries(PostgresConfig.presets).map(([name, preset]) => [
      name,
      settings({ username: "u", ...preset }).startupParameters["statement_timeout"]
    ])
    assert.deepStrictEqual(Object.fromEntries(timeouts) as unknown, {
      development: "30000",
      production: "60000",
      highThroughput: "30000",
      lowLatency: "10000",
      serverless: "30000",
      // Of a session, which PgBouncer lends to others in the next moment.
      pooler: undefined
    })
  })

  it("have names and descriptions for people to choose by", () => {
    const { presets, presetTexts } = PostgresConfig
    assert.deepStrictEqual(Object.keys(presetTexts), Object.keys(presets))
    assert.throws(() => Object.assign(presets.pooler, { maxConnections: 1 }), TypeError)
  })

  it.effect("are accepted by the pool, and have its sizes", () =>
    Effect.gen(function*() {
      for (const { pooler: _, statementTimeout: __, ...preset } of Object.values(PostgresConfig.presets)) {
        const config = yield* PoolConfig.make(PostgresConfig.kind, "app/Db", preset)
        assert.strictEqual(config.maxConnections, preset.maxConnections)
      }
    }))
})

describe("fromEnv", () => {
  const read = (env: Record<string, string>) => PostgresConfig.fromEnv.parse(ConfigProvider.fromEnvRecord(env))

  it.effect("reads nothing from an empty environment", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({}), {})
    }))

  it.effect("reads a URL and the options of the pool", () =>
    Effect.gen(function*() {
      const options = yield* read({
        DATABASE_URL: "postgres://u:p@h/d",
        POOL_STATEMENT_TIMEOUT_MS: "2500",
        POOL_MAX_CONNECTIONS: "7"
      })
      assert.deepStrictEqual(Object.keys(options).toSorted(), ["maxConnections", "statementTimeout", "url"])
      assert.strictEqual(Redacted.value(options.url!), "postgres://u:p@h/d")
      assert.deepStrictEqual(settings(options).startupParameters, { statement_timeout: "2500" })
      assert.strictEqual(options.maxConnections, 7)
    }))

  it.effect("reads what the server is to call the application", () =>
    Effect.gen(function*() {
      const options = yield* read({ APP_NAME: "voice-terminal" })
      assert.deepStrictEqual(options, { applicationName: "voice-terminal" })
      assert.strictEqual(settings({ ...options, username: "u" }).applicationName, "voice-terminal")
    }))

  it.effect("reads the parts of a server", () =>
    Effect.gen(function*() {
      const options = yield* read({
        DATABASE_HOST: "h",
        DATABASE_PORT: "1234",
        DATABASE_USER: "u",
        DATABASE_PASSWORD: "p",
        DATABASE_NAME: "d",
        DATABASE_SSL: "true"
      })
      const { database, host, password, port, ssl, username } = settings(options)
      assert.deepStrictEqual({ database, host, port, ssl, username }, {
        database: "d",
        host: "h",
        port: 1234,
        ssl: true,
        username: "u"
      })
      assert.strictEqual(Redacted.isRedacted(password) && Redacted.value(password), "p")
    }))

  it.effect("refuses what is invalid, and what contradicts", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isFailure(yield* Effect.exit(read({ DATABASE_PORT: "many" }))))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(read({ POOL_STATEMENT_TIMEOUT_MS: "0" }))))
      const both = yield* read({ DATABASE_URL: "postgres://u:p@h/d", DATABASE_HOST: "h" })
      assert.strictEqual(refusal({ ...both })[0], "host")
    }))
})

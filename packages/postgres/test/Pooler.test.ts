import { PostgresConfig } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted, Result } from "effect"
import * as Options from "../src/internal/options.ts"
import * as Misuse from "../src/internal/pooler/misuse.ts"

const refusal = (options: Record<string, unknown>): string => {
  const checked = Options.check(options, "app/Db")
  return Result.isFailure(checked) ? checked.failure.message : "it was accepted"
}

const transaction = { pooler: { mode: "transaction" } } as const

const env = (variables: Record<string, string>) =>
  PostgresConfig.fromEnv.parse(ConfigProvider.fromEnv({ env: variables }))

describe("the option pooler", () => {
  it("refuses what a session would keep in transaction mode, and tells what works", () => {
    assert.match(
      refusal({ ...transaction, statementTimeout: "1 second" }),
      /option statementTimeout: can't hold .*ALTER ROLE/
    )
    assert.match(refusal({ ...transaction, idleInTransactionTimeout: "1 second" }), /option idleInTransactionTimeout/)
    assert.match(refusal({ ...transaction, searchPath: ["a"] }), /option searchPath/)
    assert.match(refusal({ ...transaction, settings: { lock_timeout: "1s", timezone: "UTC" } }), /option settings/)
    // PgBouncer keeps it for each client.
    assert.strictEqual(refusal({ ...transaction, settings: { TimeZone: "UTC" } }), "it was accepted")
    assert.match(
      refusal({ ...transaction, prewarm: { run: ["SELECT 1", "SET lock_timeout = '1s'"] } }),
      /option prewarm: has a statement that can't be run: SET would stay/
    )
    assert.strictEqual(refusal({ ...transaction, session: () => ({}) }), "it was accepted")
    assert.match(refusal({ ...transaction, sessionReset: "always" }), /option sessionReset: has no effect/)
    assert.match(
      refusal({ ...transaction, url: Redacted.make("postgres://u@h/d?options=-c%20timezone=UTC") }),
      /option url: has options/
    )
    assert.strictEqual(refusal({ pooler: { mode: "session" }, statementTimeout: "1 second" }), "it was accepted")
  })

  it("refuses an unknown mode, and an unknown part", () => {
    assert.match(refusal({ pooler: { mode: "statement" } }), /option pooler: must be an object with the mode/)
    assert.match(refusal({ pooler: { mode: "transaction", amin: {} } }), /option pooler: must be/)
    assert.match(refusal({ pooler: "transaction" }), /option pooler: must be/)
  })

  it("prepares nothing in transaction mode unless it is told to", () => {
    const prepare = (options: PostgresConfig.PostgresOptions) =>
      Result.getOrThrow(Options.check(options, "app/Db")).settings.driver.prepare
    assert.strictEqual(prepare(transaction), false)
    assert.strictEqual(prepare({ ...transaction, prepare: true }), true)
    assert.strictEqual(prepare({ pooler: { mode: "session" } }), undefined)
  })

  it.effect("is read from the environment, with a URL and without", () =>
    Effect.gen(function*() {
      const parts = yield* env({
        DATABASE_HOST: "db",
        DATABASE_USER: "app",
        PGBOUNCER_HOST: "bouncer",
        PGBOUNCER_PORT: "7000"
      })
      assert.deepInclude(parts, { host: "bouncer", port: 7000, username: "app", pooler: { mode: "transaction" } })
      const url = yield* env({
        DATABASE_URL: "postgres://app:s%40@db:5432/app?sslmode=require",
        PGBOUNCER_HOST: "bouncer",
        PGBOUNCER_POOL_MODE: "session"
      })
      assert.deepStrictEqual(url.pooler, { mode: "session" })
      assert.strictEqual(Redacted.value(url.url!), "postgres://app:s%40@bouncer:6432/app?sslmode=require")
      assert.notProperty(yield* env({ DATABASE_HOST: "db" }), "pooler")
      assert.match(String(yield* Effect.flip(env({ PGBOUNCER_POOL_MODE: "statement" }))), /PGBOUNCER_POOL_MODE/)
    }))

  it.effect("has a preset, which the environment goes on from", () =>
    Effect.gen(function*() {
      const { pooler } = PostgresConfig.presets
      const checked = (options: PostgresConfig.PostgresOptions) => Result.getOrThrow(Options.check(options, "app/Db"))
      assert.deepStrictEqual(checked({ username: "u", ...pooler }).settings.pooler, { mode: "transaction" })
      const said = yield* env({ PGBOUNCER_HOST: "bouncer", PGBOUNCER_POOL_MODE: "session", POOL_MAX_CONNECTIONS: "15" })
      const { pool, settings } = checked({ username: "u", ...pooler, ...said })
      assert.deepStrictEqual([settings.host, settings.port, settings.pooler], ["bouncer", 6432, { mode: "session" }])
      assert.deepInclude(pool, { minConnections: 5, maxConnections: 15 })
      // A limit that only a session could keep is refused by its name, from the environment too.
      const limited = yield* env({ PGBOUNCER_HOST: "bouncer", POOL_STATEMENT_TIMEOUT_MS: "1000" })
      assert.match(refusal({ ...pooler, ...limited }), /option statementTimeout: can't hold/)
      assert.match(refusal({ ...PostgresConfig.presets.production, ...pooler }), /option statementTimeout: can't hold/)
    }))

  it("lets pass what ends with the transaction", () => {
    for (
      const text of [
        "SELECT 1",
        "SET LOCAL statement_timeout = 1",
        "SET TRANSACTION READ ONLY",
        "SELECT set_config('a.b', $1, true)",
        "SELECT pg_advisory_xact_lock(1)",
        "PREPARE TRANSACTION 'x'",
        "DECLARE c CURSOR FOR SELECT 1",
        "BEGIN",
        "COMMIT",
        "SELECT 'SET x'",
        "-- set\nSELECT 1"
      ]
    ) assert.strictEqual(Misuse.ruleOf(text), undefined, text)
  })
})

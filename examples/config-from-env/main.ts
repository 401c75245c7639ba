/**
 * Everything about a pool from the environment, over a preset: `DATABASE_*` says where, `POOL_*` how many and how long.
 * What is missing keeps its default, what is wrong stops the program and is named, and secrets are never shown.
 *
 * DATABASE_HOST=db DATABASE_USER=app DATABASE_PASSWORD=secret POOL_MAX_CONNECTIONS=25 node main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { PoolConfig } from "@effect-pools/core"
import { PostgresConfig, PostgresPool } from "@effect-pools/postgres"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Config, ConfigProvider, Console, Effect, Layer, Redacted } from "effect"

class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
  static readonly live = Layer.unwrap(
    Effect.map(PostgresConfig.fromEnv, (env) => this.layer({ ...PoolConfig.presets.development, ...env }))
  )
}

const program = Effect.gen(function*() {
  const { acquireTimeout, idleTimeout, maxConnections, minConnections } = (yield* PrimaryDb).config
  yield* Console.log(`from ${minConnections} to ${maxConnections} connections, idle for ${idleTimeout} ms at most`)
  yield* Console.log(`callers wait ${acquireTimeout} ms`)
  const [row] = yield* PrimaryDb.query<{ readonly user: string }>`SELECT current_user AS user`
  yield* Console.log(`logged in as ${row?.user}`)
})

/** Stands for the environment of a deployment: the process's own, with the address of a server started for this. */
const environment = (overrides: Record<string, string>) =>
  Effect.map(EmbeddedPostgres.EmbeddedPostgres, ({ database, host, password, port, user }) =>
    ConfigProvider.fromEnv({
      env: {
        DATABASE_HOST: host,
        DATABASE_PORT: String(port),
        DATABASE_NAME: database,
        DATABASE_USER: user,
        DATABASE_PASSWORD: Redacted.value(password),
        ...overrides
      }
    }))

const runIn = (overrides: Record<string, string>) =>
  Effect.flatMap(environment(overrides), (provider) =>
    Effect.provide(program, PrimaryDb.live).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, provider)
    ))

Effect.gen(function*() {
  yield* runIn({ POOL_MAX_CONNECTIONS: "4", POOL_ACQUIRE_TIMEOUT_MS: "2500" })
  const refused = yield* Effect.flip(runIn({ POOL_MAX_CONNECTIONS: "many" }))
  yield* Console.log(refused instanceof Config.ConfigError ? `refused: ${refused.message}` : refused)
}).pipe(Effect.provide(EmbeddedPostgres.layer()), NodeRuntime.runMain)

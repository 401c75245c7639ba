/**
 * The console of a PgBouncer: its numbers and settings, and work done while it pauses a database.
 *
 * ```ts
 * import { PgBouncerAdmin } from "@effect-pools/postgres"
 * import { Effect, Redacted } from "effect"
 *
 * declare const moveTheServer: Effect.Effect<void>
 *
 * const program = Effect.gen(function*() {
 *   const admin = yield* PgBouncerAdmin.make({ host: "pgbouncer", username: "admin", password: Redacted.make("secret") })
 *   const waiting = (yield* admin.pools).map((pool) => [pool["database"], pool["cl_waiting"]])
 *   yield* admin.paused("app")(moveTheServer)
 *   return waiting
 * })
 * ```
 *
 * Each command has a connection of its own. The user must be one of `admin_users`, or of `stats_users` for what only reads.
 *
 * @since 0.1.0
 */
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Answer } from "./internal/pooler/console.ts"
import type { PgBouncerOptions } from "./internal/pooler/model.ts"
import * as Console from "./internal/pooler/console.ts"
import * as Options from "./internal/options.ts"
import { PgBouncerError } from "./PgBouncerError.ts"

export {
  /**
   * @category errors
   * @since 0.1.0
   */
  PgBouncerError
}
export type { Answer } from "./internal/pooler/console.ts"
export type { PgBouncerOptions } from "./internal/pooler/model.ts"

/**
 * The console of one PgBouncer.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgBouncerAdmin {
  /** `SHOW POOLS`: per database and user, who is served, who waits and since when. */
  readonly pools: Effect.Effect<Answer, PgBouncerError>
  /** `SHOW STATS`. */
  readonly stats: Effect.Effect<Answer, PgBouncerError>
  /** `SHOW DATABASES`: where each leads to, and its own pool mode and size. */
  readonly databases: Effect.Effect<Answer, PgBouncerError>
  /** `SHOW CONFIG`, by the names of the settings. */
  readonly config: Effect.Effect<Readonly<Record<string, string>>, PgBouncerError>
  /** `RECONNECT`: replaces the connections to the server as they come back, of one database or of all. */
  readonly reconnect: (database?: string) => Effect.Effect<void, PgBouncerError>
  /**
   * Runs an effect while a database is paused: PgBouncer waits for the ends of its transactions, disconnects from the server
   * and lets clients wait. `RESUME` follows however the effect ends, also when the wait for the pause is interrupted; it is
   * tried for half a minute. A database that somebody else has paused is refused, and stays paused.
   */
  readonly paused: (
    database: string
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | PgBouncerError, R>
}

/**
 * Makes a console. Nothing is opened until a command is run.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: PgBouncerOptions): Effect.Effect<PgBouncerAdmin, InvalidOption> =>
  Effect.map(settingsOf(options), (settings) => {
    const run = (command: string): Effect.Effect<Answer, PgBouncerError> =>
      Effect.timeoutOrElse(Console.run(settings, command), {
        duration: options.timeout ?? "10 seconds",
        orElse: () =>
          Effect.fail(new PgBouncerError({ command, message: "the console did not answer in time", isAnswer: false }))
      })
    return {
      pools: run("SHOW POOLS"),
      stats: run("SHOW STATS"),
      databases: run("SHOW DATABASES"),
      config: Effect.map(
        run("SHOW CONFIG"),
        (rows) => Object.fromEntries(rows.map(({ key, value }) => [key ?? "", value ?? ""]))
      ),
      reconnect: (database) =>
        Effect.asVoid(run(database === undefined ? "RECONNECT" : `RECONNECT ${quoted(database)}`)),
      paused: (database) => (effect) => Effect.andThen(notPaused(run, database), paused(run, quoted(database), effect))
    }
  })

/** A second `PAUSE` is answered like the first, and its `RESUME` would end both. */
const notPaused = Effect.fnUntraced(function*(
  run: (command: string) => Effect.Effect<Answer, PgBouncerError>,
  database: string
): Effect.fn.Return<void, PgBouncerError> {
  const found = (yield* run("SHOW DATABASES")).find(({ name }) => name === database)
  if (found?.["paused"] !== "1") return
  const message = `${database} is paused already, by somebody else`
  return yield* new PgBouncerError({ command: "PAUSE", message, isAnswer: true })
})

const paused = <A, E, R>(
  run: (command: string) => Effect.Effect<Answer, PgBouncerError>,
  database: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgBouncerError, R> =>
  Effect.uninterruptibleMask((restore) => {
    // A pause by somebody else is theirs to resume; whatever else became of the command, it may be paused.
    let isTheirs = false
    const pause = Effect.tapError(restore(run(`PAUSE ${database}`)), ({ isAnswer }) =>
      Effect.sync(() => {
        isTheirs = isAnswer
      }))
    const resume = Effect.suspend(() => isTheirs ? Effect.void : resumed(run, database))
    return Effect.ensuring(Effect.andThen(pause, restore(effect)), resume)
  })

const resumed = (
  run: (command: string) => Effect.Effect<Answer, PgBouncerError>,
  database: string
): Effect.Effect<void> =>
  run(`RESUME ${database}`).pipe(
    Effect.retry({
      schedule: Schedule.spaced("500 millis").pipe(Schedule.upTo({ duration: "30 seconds" })),
      // A refusal may pass too, such as one for too many clients.
      while: (error) => !isNotPaused(error)
    }),
    // It has been resumed, or has come back from a restart.
    Effect.catchIf(isNotPaused, () => Effect.void),
    Effect.catch((error) => Effect.logError(`${database} may still be paused: RESUME failed, ${error.message}`)),
    Effect.asVoid
  )

const isNotPaused = ({ isAnswer, message }: PgBouncerError): boolean => isAnswer && /not paused/.test(message)

const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

const settingsOf = (
  { host, password, port = 6432, ssl, username }: PgBouncerOptions
): Effect.Effect<Console.Settings, InvalidOption> =>
  Effect.map(
    Options.checkWithUser({ host, port, username, password, ssl, database: "pgbouncer" }, "pgbouncer"),
    ({ settings }) => settings
  )

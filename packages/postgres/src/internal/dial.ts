/**
 * Opens one session: credentials, transport, TLS, login, and the check of the server's role.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it.
 */
import { obtained } from "@effect-pools/core/Callback"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type { Signals } from "@effect-pools/core/Connector"
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { Socket } from "node:net"
import { DialError } from "@effect-pools/core/DialError"
import * as Cancellation from "./cancellation.ts"
import { fromSqlError } from "./dialError.ts"
import * as LoginGuard from "./loginGuard.ts"
import * as PgInternals from "./pgInternals.ts"
import * as Prewarm from "./prewarm.ts"
import * as Role from "./role.ts"
import type { Schema } from "./schema.ts"
import { Session, SessionEnded } from "./session.ts"
import type { ConnectionSettings } from "./settings.ts"
import * as Transport from "./transport.ts"

export const dial = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  schema: Schema,
  signals: Signals
): Effect.fn.Return<Session, DialError, Scope.Scope> {
  const address = addressOf(settings)
  const password = yield* obtained(
    settings.password,
    (why) => refused(address, `no password could be obtained: ${why}`)
  )
  let socket: Socket | undefined
  // Added first, so that it runs last, when the driver has said goodbye.
  yield* Effect.addFinalizer(() => socket === undefined ? Effect.void : closed(socket))
  const failed = (error: SqlError) =>
    fromSqlError(error, { address, hasFreshCredentials: Effect.isEffect(settings.password) })
  const transport = yield* Effect.mapError(Transport.open(settings), failed)
  socket = transport
  if (yield* PoolContext.Unref) transport.unref()
  const isPrivate = settings.ssl !== false || Transport.isUnixSocket(settings.host)
  const guard = LoginGuard.watch(transport, { requireAuth: settings.requireAuth, isPrivate })
  const connection = yield* PgConnection.make(configOf(settings, password, transport)).pipe(
    // Until the driver has it, nobody else closes it.
    Effect.onExit((exit) => Exit.isFailure(exit) ? Effect.sync(() => transport.destroy()) : Effect.void),
    Effect.mapError((error) => guard.refusal === undefined ? failed(error) : unwilling(address, guard.refusal))
  )
  const internals = PgInternals.find(connection)
  const missing = PgInternals.missing(internals)
  if (missing !== undefined) return yield* unwilling(address, missing)
  const isShareable = settings.sharing > 1
  // Pinned, so that a stream or a listener does not lock out the statements beside it.
  const session = new Session(isShareable ? connection : yield* connection.pin, internals, {
    address,
    isShareable,
    schema,
    expectsPrimary: settings.role === "primary",
    prepares: settings.driver.prepare !== false,
    alwaysResets: settings.sessionReset === "always",
    onOperation: signals.onOperation,
    isPooled: settings.pooler?.mode === "transaction"
  })
  if (internals.cancel !== undefined) {
    internals.cancel.replace(Cancellation.make(Transport.open(settings), internals.cancel.frame, session))
  }
  if (schema.statements !== undefined) {
    const { statements } = schema
    internals.statements?.onUse((isReady, evicted) => {
      session.ranPrepared = isReady
      if (isReady) statements.hits++
      else statements.misses++
      statements.evictions += evicted
    })
  }
  internals.onRetire?.(() => signals.onBroken(session.end ?? givenUp))
  // Added last, so that it runs first, while the session can still be told from others.
  yield* Effect.addFinalizer(() => stopped(session))
  const wrong = yield* Effect.mapError(Role.check(session.own, settings), failed)
  if (wrong !== undefined) return yield* refused(address, wrong)
  yield* Prewarm.run(session, settings.prewarm)
  if (session.isDead) return yield* refused(address, "the server ended the session at once")
  return session
})

export const addressOf = ({ host, port }: Pick<ConnectionSettings, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

const givenUp = new SessionEnded({
  message: "the driver gave the session up"
})

const refused = (address: string, why: string): DialError =>
  new DialError({ address, message: `${address}: ${why}`, code: undefined, isRetryable: true })

/** Failures that another dial would meet again. */
const unwilling = (address: string, why: string): DialError =>
  new DialError({ address, message: `${address}: ${why}`, code: undefined, isRetryable: false })

const configOf = (
  settings: ConnectionSettings,
  password: Redacted.Redacted | undefined,
  transport: Socket
): PgConnection.Config => ({
  ...settings.driver,
  stream: () => transport,
  database: settings.database,
  username: settings.username,
  password,
  multiplex: settings.sharing > 1,
  ssl: false,
  applicationName: settings.applicationName,
  startupParameters: settings.startupParameters,
  startupOptions: settings.startupOptions,
  connectTimeout: Duration.infinity
})

const goodbyeLimit = "1 second"

/** The server would not notice that we hung up before it has a result to send, and would hold its locks until then. */
const stopped = (session: Session): Effect.Effect<unknown> =>
  Effect.timeoutOption(Effect.interruptible(Effect.suspend(() => session.stop)), goodbyeLimit)

/** Waits for the server to hang up, since until then it counts the connection, and hangs up if it doesn't. */
const closed = (socket: Socket): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (socket.closed) return Effect.void
    const hungUp = Effect.callback<void>((resume) => {
      const onClose = () => resume(Effect.void)
      socket.once("close", onClose)
      return Effect.sync(() => socket.off("close", onClose))
    })
    return Effect.interruptible(hungUp).pipe(
      Effect.timeoutOption(goodbyeLimit),
      Effect.andThen(Effect.sync(() => socket.destroy()))
    )
  })

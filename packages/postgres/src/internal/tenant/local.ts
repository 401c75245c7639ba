/**
 * The state of a tenant where a PgBouncer lends the server's end of a session for a transaction only: each transaction of
 * the lease begins with it, and a statement outside of one gets a transaction of its own.
 *
 * Whether a statement may be sent is decided in the moment of sending, by whether the transaction that it would be part of
 * has the state. So nothing is ever run as the pool's own user, whatever texts and fibers do to transactions.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ConnectionError, isSqlError, SqlError, UnknownError } from "effect/sql/SqlError"
import { OutcomeUnknown } from "../../OutcomeUnknown.ts"
import { serverError, type Session } from "../session.ts"
import * as Settings from "../settingsCall.ts"
import type { Verdict } from "../verdict.ts"
import type { SessionState } from "./model.ts"

/** Runs the statement that sets the state, in the transaction that was just begun. */
export type RunOwn = (text: string, params: ReadonlyArray<string>) => Effect.Effect<unknown, SqlError>

export class LocalTenant {
  /** Whether the open transaction has the state. */
  isSet = false
  private readonly session: Session
  private readonly text: string
  private readonly params: ReadonlyArray<string>
  private readonly changesReading: boolean

  constructor(session: Session, { role, settings = {} }: SessionState) {
    this.session = session
    const calls = Object.entries(settings)
    this.changesReading = calls.some(([name]) => !Settings.isHarmless(name.toLowerCase()))
    // The role comes last, since a lesser one may not set what the pool's own may.
    if (role !== undefined) calls.push(["role", role])
    this.text = `SELECT ${calls.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, true)`).join(", ")}`
    this.params = calls.flat()
  }

  /** The rule that sending a text now would break. One that begins or ends transactions leaves none with the state. */
  sends({ control }: Verdict): string | undefined {
    if (control !== undefined) {
      this.isSet = false
      return undefined
    }
    return this.isSet && this.isStillOpen ? undefined : withoutState
  }

  /** The server has the last word, whatever the texts say. The session that has died answers for itself. */
  private get isStillOpen(): boolean {
    return this.session.isDead || this.session.isInTransaction
  }

  /** Sets the state after a statement that begins or ends a transaction, if one is open now. */
  after<A>(control: Effect.Effect<A, SqlError>, run: RunOwn): Effect.Effect<A, SqlError> {
    return Effect.tap(control, () => this.session.isInTransaction ? this.set(run) : Effect.void)
  }

  private set(run: RunOwn): Effect.Effect<void, SqlError> {
    const { session } = this
    return Effect.suspend(() => {
      if (this.changesReading) session.wire.readsOtherwise = true
      return Effect.onExit(
        Effect.mapError(run(this.text, this.params), (error) => session.isDead ? error : unset(error)),
        (exit) => {
          if (Exit.isSuccess(exit)) this.isSet = true
          return this.isSet || session.isDead ? Effect.void : this.rollback
        }
      )
    })
  }

  /** What can't be rolled back is noticed when the lease ends. */
  private readonly rollback: Effect.Effect<void> = Effect.suspend(() =>
    this.session.conclude(Effect.ignore(this.session.pg.query("ROLLBACK", [], false)), undefined)
  )
}

const withoutState =
  "a statement would have run without the state that the option session gives, since the transaction " +
  "that it belongs to has been ended by a statement in it: end it where it was begun"

const unset = (error: SqlError): SqlError => {
  const message = `the state that the option session gives can't be set: ${serverError(error).message ?? error.message}`
  return new SqlError({ reason: new UnknownError({ cause: error.reason.cause, message, operation: "begin" }) })
}

/** The rule that a statement breaks which the server refuses in every transaction. */
export const refusedInTransaction = (error: unknown): string | undefined => {
  if (!isSqlError(error)) return undefined
  const { code, message } = serverError(error)
  if (code !== "25001" && code !== "2D000") return undefined
  return `${message ?? "the server refused it"}: with the option session behind a PgBouncer in transaction mode each ` +
    "statement of a key runs in a transaction. Run it without a key, or on a pool that leads to the server itself"
}

/** A read that has its rows is not in doubt because the end of its own transaction was not heard of. */
export const ofRead = (error: SqlError): SqlError => {
  const { cause } = error.reason
  if (!(cause instanceof OutcomeUnknown) || cause.of !== "commit") return error
  const message = "the connection was lost at the end of a statement that changes nothing"
  return new SqlError({ reason: new ConnectionError({ cause: cause.cause, message, operation: "query" }) })
}

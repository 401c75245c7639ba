/**
 * The failure of a statement whose session ended: the same whenever that happened, with what the server said of it, and
 * retryable only if it may work when it is done again.
 */
import type { ErrorFields } from "@effect/sql-pg/PgProtocol"
import { ParseError } from "@effect/sql-pg/PgProtocol"
import * as ServerText from "@effect-pools/core/ServerText"
import {
  AuthenticationError,
  ConnectionError,
  SqlError,
  type SqlErrorReason,
  StatementTimeoutError,
  UnknownError
} from "effect/sql/SqlError"
import { OutcomeUnknown } from "../OutcomeUnknown.ts"
import type { Verdict } from "./verdict.ts"
import type { WireState } from "./wireState.ts"

/** How things stood when the statement was begun. */
export interface Before {
  readonly verdict: Verdict
  /** Whether the session had ended already, so that nothing was sent. */
  readonly wasDead: boolean
  /** Whether it belongs to a transaction, which the server rolls back when the session ends. */
  readonly wasInTransaction: boolean
}

/** The error of a statement whose session is dead. `error` is the driver's. */
export const explain = (error: SqlError, wire: WireState, before: Before): SqlError => {
  const { fatal } = wire
  const cause = fatal === undefined ? error.reason.cause : causeOf(fatal)
  const why = fatal === undefined
    ? error.message
    : `the server ended the session: ${ServerText.clean(fatal.message ?? "it did not say why")}`
  if (isOutcomeUnknown(wire, before)) return unknownOutcome(before.verdict, why, fatal?.code, cause)
  const props = { cause, message: why, operation: "query" }
  return new SqlError({ reason: fatal === undefined ? ofSocket(props) : ofServer(fatal.code ?? "", props) })
}

/** The reason as the driver has it for errors of the server: with its fields, such as the SQLSTATE as `code`. */
const causeOf = (fields: ErrorFields): Error => Object.assign(new Error(fields.message ?? ""), fields)

const isOutcomeUnknown = (wire: WireState, { verdict, wasDead, wasInTransaction }: Before): boolean => {
  if (wasDead) return false
  if (verdict.isCommit) return true
  if (!verdict.mayWrite || wasInTransaction) return false
  // A server that ends a session in the middle of a statement has not carried it out.
  return wire.fatal === undefined || wire.hasAnsweredFirst
}

const unknownOutcome = (verdict: Verdict, why: string, code: string | undefined, cause: unknown): SqlError => {
  const what = verdict.isCommit ? "the transaction was committed" : "the statement was carried out"
  const message = `nobody knows whether ${what}: the connection was lost before the server's answer came (${why})`
  const unknown = new OutcomeUnknown({
    of: verdict.isCommit ? "commit" : "statement",
    message,
    isRetryable: false,
    code,
    cause
  })
  return new SqlError({
    reason: new UnknownError({ cause: unknown, message, operation: verdict.isCommit ? "commit" : "query" })
  })
}

interface Props {
  readonly cause: unknown
  readonly message: string
  readonly operation: string
}

// A message that can't be read, or is longer than allowed, is the same the next time.
const ofSocket = (props: Props): SqlErrorReason =>
  props.cause instanceof ParseError ? new UnknownError(props) : new ConnectionError(props)

const passing = new Set(["57P01", "57P02", "57P03", "57P05", "25P03"])

const ofServer = (code: string, props: Props): SqlErrorReason => {
  if (code.startsWith("28")) return new AuthenticationError(props)
  if (code === "25P04") return new StatementTimeoutError(props)
  return passing.has(code) || code.startsWith("53") || code.startsWith("08")
    ? new ConnectionError(props)
    : new UnknownError(props)
}

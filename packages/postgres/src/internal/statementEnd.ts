/**
 * The report to the pool on a statement that has ended: how long it took, and whose doing it was if it failed.
 */
import type { Operation, OperationEnd } from "@effect-pools/core/Connector"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as FatalSqlState from "../FatalSqlState.ts"
import { serverError } from "./session.ts"
import * as SqlText from "./sqlText.ts"
import type { Verdict } from "./verdict.ts"

/** The facts of a statement when it is begun. */
export interface Begun {
  readonly text: string
  readonly verdict: Verdict
  readonly took: number
  readonly isSessionDead: boolean
  readonly expectsPrimary: boolean
}

/** The exit is `undefined` if nobody waits for it any more. */
export const operationOf = (begun: Begun, exit: Exit.Exit<unknown, unknown> | undefined): Operation => {
  const error = exit === undefined ? undefined : errorOf(exit)
  return {
    kind: begun.verdict.kind,
    end: endOf(begun, exit, error),
    took: begun.took,
    get text() {
      return SqlText.withoutLiterals(begun.text.slice(0, 1000), 100)
    },
    get status() {
      return error === undefined ? undefined : serverError(error).code ?? error.reason._tag
    },
    get count() {
      return exit !== undefined && Exit.isSuccess(exit) ? rowsOf(exit.value) : undefined
    }
  }
}

const errorOf = (exit: Exit.Exit<unknown, unknown>): SqlError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  return isSqlError(error) ? error : undefined
}

const endOf = (
  { expectsPrimary, isSessionDead }: Begun,
  exit: Exit.Exit<unknown, unknown> | undefined,
  error: SqlError | undefined
): OperationEnd => {
  if (exit === undefined || (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))) return "interrupted"
  if (Exit.isSuccess(exit)) return "success"
  if (isSessionDead) return "failed"
  return error !== undefined && isOfServer(error, expectsPrimary) ? "failed" : "rejected"
}

/**
 * Whether the server failed it for its own sake: no resources (53), an operator or a time limit (57), the system (58), a bug
 * (XX), what ends the session, or a lock that was not to be had in time. A conflict with another transaction (40) is one of
 * the callers' own.
 */
const isOfServer = (error: SqlError, expectsPrimary: boolean): boolean => {
  const { code } = serverError(error)
  if (code === undefined) return ofConnections.has(error.reason._tag)
  const fatal = FatalSqlState.find(code)
  if (fatal !== undefined) return fatal.because === "role" ? expectsPrimary : true
  return code === "55P03" || ["53", "57", "58", "XX"].includes(code.slice(0, 2))
}

const ofConnections: ReadonlySet<string> = new Set(["ConnectionError", "StatementTimeoutError", "LockTimeoutError"])

/** A stream has its rows no more when it has ended. */
const rowsOf = (value: unknown): number | undefined => {
  if (Array.isArray(value)) return value.length
  if (typeof value !== "object" || value === null) return undefined
  const { rowCount, rows } = value as { readonly rowCount?: number | null; readonly rows?: ReadonlyArray<unknown> }
  return rowCount ?? rows?.length
}

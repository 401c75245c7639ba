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

/** A class, since an object with getters of its own costs ten times as much to make. The exit is `undefined` if nobody waits. */
export class StatementEnd implements Operation {
  readonly kind: string
  readonly end: OperationEnd
  readonly took: number
  private readonly statement: string
  private readonly exit: AnyExit | undefined

  constructor(begun: Begun, exit: AnyExit | undefined) {
    this.kind = begun.verdict.kind
    this.end = endOf(begun, exit)
    this.took = begun.took
    this.statement = begun.text
    this.exit = exit
  }

  get text(): string {
    return SqlText.shownOf(this.statement)
  }

  get status(): string | undefined {
    const error = this.exit === undefined ? undefined : errorOf(this.exit)
    return error === undefined ? undefined : serverError(error).code ?? error.reason._tag
  }

  get count(): number | undefined {
    return this.exit !== undefined && Exit.isSuccess(this.exit) ? rowsOf(this.exit.value) : undefined
  }
}

type AnyExit = Exit.Exit<unknown, unknown>

const errorOf = (exit: AnyExit): SqlError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  return isSqlError(error) ? error : undefined
}

const endOf = (
  { expectsPrimary, isSessionDead }: Begun,
  exit: AnyExit | undefined
): OperationEnd => {
  if (exit === undefined || (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))) return "interrupted"
  if (Exit.isSuccess(exit)) return "success"
  if (isSessionDead) return "failed"
  const error = errorOf(exit)
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

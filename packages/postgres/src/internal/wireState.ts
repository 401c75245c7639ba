/**
 * What the server's own messages tell of a session, read as they pass by.
 */
import type { BackendMessage, ErrorFields, TransactionStatus } from "@effect/sql-pg/PgProtocol"
import * as FatalSqlState from "../FatalSqlState.ts"
import * as Dirt from "./dirt.ts"

export class WireState {
  /** From the last ReadyForQuery; `undefined` before the first and if messages can't be observed. */
  status: TransactionStatus | undefined = undefined
  dirt: Dirt.Dirt = Dirt.none
  /** The error that ended the session. */
  fatal: ErrorFields | undefined = undefined
  /** Whether the server has refused a write because it is in the wrong role. */
  hasRefusedWrite = false
  /** The error that aborted the current transaction. */
  abortedBy: ErrorFields | undefined = undefined

  private failed: ErrorFields | undefined = undefined
  /** The text of the statement that runs, if exactly one runs. */
  private readonly runningAlone: () => string | undefined

  constructor(runningAlone: () => string | undefined) {
    this.runningAlone = runningAlone
  }

  readonly observe = (message: BackendMessage<unknown>): void => {
    switch (message._tag) {
      case "CommandComplete":
        this.dirt |= Dirt.ofTag(message.commandTag, this.runningAlone())
        return
      case "ReadyForQuery":
        this.ready(message.status)
        return
      case "ParameterStatus":
        this.dirt |= Dirt.settings
        return
      case "ErrorResponse":
        this.failed = message.fields
        if (endsSession(message.fields)) this.fatal = message.fields
        else if (FatalSqlState.find(message.fields.code ?? "")?.because === "role") this.hasRefusedWrite = true
        return
    }
  }

  private ready(status: TransactionStatus): void {
    if (status !== "E") this.abortedBy = undefined
    else if (this.status !== "E") this.abortedBy = this.failed
    this.failed = undefined
    this.status = status
  }
}

const endsSession = (fields: ErrorFields): boolean => {
  const severity = fields.severityUnlocalized ?? fields.severity
  return severity === "FATAL" || severity === "PANIC"
}

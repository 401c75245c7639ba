/**
 * The state of a session by the server's own messages, read as they pass by. Rows tell nothing of it, and are not shown.
 */
import type { BackendMessage, ErrorFields, TransactionStatus } from "@effect/sql-pg/PgProtocol"
import * as FatalSqlState from "../FatalSqlState.ts"
import * as Dirt from "./dirt.ts"
import type { Schema } from "./schema.ts"
import * as SchemaChange from "./schema.ts"
import * as Settings from "./settingsCall.ts"

export class WireState {
  /** From the last ReadyForQuery; `undefined` before the first and if messages can't be observed. */
  status: TransactionStatus | undefined = undefined
  dirt: Dirt.Dirt = Dirt.none
  /** The error that ended the session. */
  fatal: ErrorFields | undefined = undefined
  /** Whether the session ended when its first statement had been answered and may have been committed. */
  hasAnsweredFirst = false
  /** Whether the server has refused a write because it is in the wrong role. */
  hasRefusedWrite = false
  /** The error that aborted the current transaction. */
  abortedBy: ErrorFields | undefined = undefined

  /** Whether literals may be read by other settings than the session's own, so that nothing must be prepared. */
  readsOtherwise = false

  /** Counts messages, but for rows. */
  heard = 0
  /** Counts statements that ended because they were cancelled. */
  cancelled = 0

  private isAnswered = false
  private failed: ErrorFields | undefined = undefined
  private readonly schema: Schema
  private hasChangedSchema = false
  /** The text of the statement that runs, if exactly one runs. */
  private readonly runningAlone: () => string | undefined

  constructor(schema: Schema, runningAlone: () => string | undefined) {
    this.schema = schema
    this.runningAlone = runningAlone
  }

  readonly observe = (message: BackendMessage<unknown>): void => {
    this.heard++
    switch (message._tag) {
      case "CommandComplete":
        this.completed(message.commandTag)
        return
      case "ReadyForQuery":
        this.ready(message.status)
        return
      case "ParameterStatus":
        this.dirt |= Dirt.settings
        if (!Settings.isHarmless(message.name.toLowerCase())) this.readsOtherwise = true
        return
      case "NoticeResponse":
        // A commit that waits for standbys is told to wait no more: it has taken place here already.
        if (message.fields.code === "57P01") this.isAnswered = true
        this.schema.notices?.publish(message.fields)
        return
      case "ErrorResponse":
        this.failed = message.fields
        if (message.fields.code === queryCanceled) this.cancelled++
        if (SchemaChange.isStale(message.fields)) this.schema.changes++
        if (endsSession(message.fields)) {
          this.fatal = message.fields
          this.hasAnsweredFirst = this.isAnswered
        } else if (FatalSqlState.find(message.fields.code ?? "")?.because === "role") this.hasRefusedWrite = true
        return
    }
  }

  private completed(tag: string): void {
    this.isAnswered = true
    this.dirt |= Dirt.ofTag(tag, this.runningAlone())
    // Nobody sees the changes that they make to settings.
    if (tag === "DO" || tag === "CALL") this.readsOtherwise = true
    if (SchemaChange.isChange(tag)) this.hasChangedSchema = true
  }

  private ready(status: TransactionStatus): void {
    if (status !== "E") this.abortedBy = undefined
    else if (this.status !== "E") this.abortedBy = this.failed
    this.failed = undefined
    this.isAnswered = false
    this.status = status
    // Others see the change when it is committed, and would prepare the old state again before.
    if (this.hasChangedSchema && status === "I") {
      this.hasChangedSchema = false
      this.schema.changes++
    }
  }
}

const queryCanceled = "57014"

const endsSession = (fields: ErrorFields): boolean => {
  const severity = fields.severityUnlocalized ?? fields.severity
  return severity === "FATAL" || severity === "PANIC"
}

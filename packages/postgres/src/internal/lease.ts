/**
 * One lease of a session, as the SQL client's connection.
 *
 * Every statement of a borrower passes through `run`, so it is here that a use after the lease is refused and that the
 * session learns what runs in it.
 */
import type { Notification, PgConnection, Result, Row } from "@effect/sql-pg/PgConnection"
import { PoolMisuse } from "@effect-pools/core/PoolError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { PostgresConnection } from "../PostgresConnector.ts"
import type { QueryTimer } from "./queryTimer.ts"
import { isStale } from "./schema.ts"
import { serverError, type Session } from "./session.ts"
import * as Verdict from "./verdict.ts"

type Execute<A> = (pg: PgConnection, prepare: boolean) => Effect.Effect<A, SqlError>
type Params = ReadonlyArray<unknown>
type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** What all leases of a pool have in common. */
export interface Terms {
  readonly pool: string
  readonly timer: QueryTimer | undefined
  /** Makes the client that a borrower is given. */
  readonly clientOf: (lease: Lease) => PostgresConnection
}

/** How a transaction was begun. */
export interface Begun {
  readonly isolation: string
  readonly isReadOnly: boolean
  readonly isDeferrable: boolean
}

export class Lease implements Connection {
  readonly session: Session
  isActive = true
  /** Whether others may have a lease of the same session. Then it is for one statement that leaves nothing behind. */
  readonly isShared: boolean
  /** The open transaction, if it was begun by `transaction`. */
  transaction: Begun | undefined = undefined
  private readonly terms: Terms
  private client: PostgresConnection | undefined = undefined

  constructor(session: Session, terms: Terms, isShared = false) {
    this.session = session
    this.terms = terms
    this.isShared = isShared
  }

  /** What the borrower is given. A single statement does without, so it is made when it is asked for. */
  get lent(): PostgresConnection {
    return this.client ??= this.terms.clientOf(this)
  }

  /** An effect that can be run several times, also at once: each time it is another statement. */
  private run<A>(text: string, prepare: boolean, f: Execute<A>): Effect.Effect<A, SqlError> {
    return Effect.suspend(() => {
      const verdict = Verdict.of(text)
      const once = this.runOnce(text, verdict, prepare, f)
      return prepare
        ? Effect.catchIf(once, (error) => this.mayRunAnew(error), () => this.runOnce(text, verdict, false, f))
        : once
    })
  }

  /** Whether a prepared statement was refused for what was true when it was prepared, and nothing was lost with it. */
  private mayRunAnew(error: SqlError): boolean {
    return !this.session.isInTransaction && isStale(serverError(error))
  }

  private runOnce<A>(
    text: string,
    verdict: Verdict.Verdict,
    prepare: boolean,
    f: Execute<A>
  ): Effect.Effect<A, SqlError> {
    const { session, terms: { timer } } = this
    let isRunning = false
    let startedAt = 0
    const checked = Effect.suspend(() => {
      const rule = this.refusal(verdict)
      if (rule !== undefined) return this.misused(rule)
      isRunning = true
      if (timer !== undefined) startedAt = timer.now()
      session.begin(text, verdict)
      return f(this.isShared ? session.own : session.pg, prepare && session.prepares(verdict))
    })
    return Effect.onExitPrimitive(checked, (exit) => {
      if (!isRunning) return undefined
      session.finish(text)
      // Alone, the driver stops an interrupted statement and waits for its end; in company it just goes on.
      if (Exit.hasInterrupts(exit)) {
        if (this.isShared) session.isAbandoned = true
        else session.abandon(text)
      }
      timer?.record(verdict.kind, startedAt)
      return undefined
    })
  }

  /** The rule that a statement of the borrower would break; without a verdict, that a stream or a listener would. */
  private refusal(verdict: Verdict.Verdict | undefined): string | undefined {
    if (!this.isActive) {
      return "a connection was used after its lease ended: keep all work inside withConnection or the scope of acquire"
    }
    return this.isShared && verdict?.isShareable !== true
      ? "a shared connection is for single statements that leave nothing behind: use withConnection"
      : undefined
  }

  private misused(rule: string): Effect.Effect<never> {
    return Effect.die(new PoolMisuse({ pool: this.terms.pool, rule }))
  }

  /** Begins something that needs the session for longer than a statement. */
  private hold(begin: () => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      const rule = this.refusal(undefined)
      return rule === undefined ? Effect.sync(begin) : this.misused(rule)
    })
  }

  private query(text: string, params: Params, prepare: boolean): Effect.Effect<ReadonlyArray<Row>, SqlError> {
    return Effect.map(this.run(text, prepare, (pg, prepare) => pg.query(text, params, prepare)), rowsOf)
  }

  private transformed(
    rows: Effect.Effect<ReadonlyArray<Row>, SqlError>,
    transformRows: TransformRows
  ): Effect.Effect<ReadonlyArray<any>, SqlError> {
    return transformRows === undefined ? rows : Effect.map(rows, transformRows)
  }

  execute(text: string, params: Params, transformRows: TransformRows): Effect.Effect<ReadonlyArray<any>, SqlError> {
    const rows = this.transformed(this.query(text, params, true), transformRows)
    // A dead session has rolled back already, and an end that fails would be a defect in place of the error that the
    // caller is owed. Where a savepoint can't be released any more, what follows in its transaction fails.
    return text.startsWith("ROLLBACK") || text.startsWith("RELEASE SAVEPOINT")
      ? Effect.catchIf(this.session.conclude(rows), () => this.session.isDead, () => Effect.succeed([]))
      : rows
  }

  executeUnprepared(
    text: string,
    params: Params,
    transformRows: TransformRows
  ): Effect.Effect<ReadonlyArray<any>, SqlError> {
    return this.transformed(this.query(text, params, false), transformRows)
  }

  executeRaw(text: string, params: Params): Effect.Effect<unknown, SqlError> {
    return this.run(text, true, (pg, prepare) => pg.query(text, params, prepare))
  }

  executeValues(text: string, params: Params): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return this.run(text, true, (pg, prepare) => pg.queryValues(text, params, prepare))
  }

  executeValuesUnprepared(
    text: string,
    params: Params
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return this.run(text, false, (pg, prepare) => pg.queryValues(text, params, prepare))
  }

  executeStream(text: string, params: Params, transformRows: TransformRows): Stream.Stream<any, SqlError> {
    const open = Effect.acquireRelease(
      this.hold(() => this.session.begin(text, Verdict.of(text))),
      () => Effect.sync(() => this.session.finish(text))
    )
    const rows = Stream.unwrap(Effect.map(open, () => this.session.pg.stream(text, params)))
    return transformRows === undefined
      ? rows
      : Stream.mapArray(rows, (rows) => transformRows(rows) as NonEmptyReadonlyArray<Row>)
  }

  /** The notifications of a channel until the scope closes. */
  listen(channel: string): Effect.Effect<Queue.Dequeue<Notification, SqlError>, SqlError, Scope.Scope> {
    const count = Effect.acquireRelease(
      this.hold(() => void this.session.listeners++),
      () => Effect.sync(() => this.session.listeners--)
    )
    // Its end tells the server, and waits for the answer.
    const scope = Effect.acquireRelease(
      Scope.make(),
      (scope, exit) => this.session.conclude(Scope.close(scope, exit))
    )
    return Effect.andThen(
      count,
      Effect.flatMap(scope, (scope) => Scope.provide(this.session.pg.listen(channel), scope))
    )
  }
}

const rowsOf = ({ rows }: Result): ReadonlyArray<Row> => rows

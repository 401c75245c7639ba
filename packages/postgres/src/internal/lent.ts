/**
 * One lease of a session, as the SQL client's connection.
 *
 * Every statement of a borrower passes through `run`, so it is here that a use after the lease is refused and that the
 * session learns what runs in it.
 */
import type { Notification, Result, Row } from "@effect/sql-pg/PgConnection"
import { PoolMisuse, usedAfterLease } from "@effect-pools/core/PoolError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { PostgresConnection } from "./connectionModel.ts"
import { type Begun, LeaseStatement, rowsOf, RunAlone } from "./leaseStatement.ts"
import type { Limits } from "./limits.ts"
import * as Loss from "./loss.ts"
import { isOfTypes } from "./schema.ts"
import { isOutdated, markOutdated, serverError, type Session } from "./session.ts"
import { StatementEnd } from "./operation.ts"
import { CurrentLevel, Level, type OpenStream, Turns } from "./turns.ts"
import * as LocalTenant from "./tenant/local.ts"
import * as Verdict from "./verdict.ts"

type AnyExit = Exit.Exit<unknown, unknown>
type AnyFiber = Fiber.Fiber<unknown, unknown>
type Params = ReadonlyArray<unknown>
type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** The terms that all leases of a pool have in common. */
export interface Terms {
  readonly pool: string
  /** The monotonic time in milliseconds. */
  readonly now: () => number
  /** Makes the client that a borrower is given. */
  readonly clientOf: (lease: LentConnection) => PostgresConnection
  /** Whether it is the lease of the transaction that a fiber with this context is in. */
  readonly isIn: (lease: LentConnection, context: Context.Context<never>) => boolean
  readonly limits: Limits
  /** The rule that a text breaks where sessions are nobody's own. */
  readonly ruleOf?: ((text: string) => string | undefined) | undefined
  /** Runs a statement in a transaction of its own on a lease that the fiber is in no transaction of. */
  readonly alone: <A>(lease: LentConnection, effect: Effect.Effect<A, SqlError>) => Effect.Effect<A, SqlError>
  readonly commit: (lease: LentConnection) => Effect.Effect<void, SqlError>
}

const outlived =
  "a fiber that was forked in a transaction ran a statement after the transaction had ended: wait for the " +
  "fiber in the transaction, or let it take a connection of its own there (acquire)"

/** How a transaction was begun. */
interface BegunTransaction {
  readonly isolation: string
  readonly isReadOnly: boolean
  readonly isDeferrable: boolean
}

export class LentConnection implements Connection {
  readonly session: Session
  isActive = true
  /** Whether others may have a lease of the same session. Then it is for one statement that leaves nothing behind. */
  readonly isShared: boolean
  /** The open transaction, if it was begun by `transaction`. */
  transaction: BegunTransaction | undefined = undefined
  readonly terms: Terms
  /** The state of the key that it was lent for, where that holds for transactions only. */
  tenant: LocalTenant.LocalTenant | undefined = undefined
  private readonly turns: Turns
  private client: PostgresConnection | undefined = undefined

  constructor(session: Session, terms: Terms, isShared = false) {
    this.session = session
    this.terms = terms
    this.isShared = isShared
    this.turns = new Turns(session, terms.limits.wait)
  }

  /** The client that the borrower gets. A single statement does without, so it is made when it is asked for. */
  get lent(): PostgresConnection {
    return this.client ??= this.terms.clientOf(this)
  }

  /** Runs a statement of this lease, and once more if it was refused for what was true when it was prepared. */
  run(statement: LeaseStatement, fiber: AnyFiber): Effect.Effect<any, SqlError> {
    const { tenant } = this
    return tenant === undefined
      ? this.runOnce(statement, fiber)
      : Effect.catch(this.runFor(tenant, statement, fiber), (error) => this.again(statement, error))
  }

  again(statement: LeaseStatement, error: SqlError): Effect.Effect<any, SqlError> {
    return statement.prepare && this.mayRunAnew(error) ? statement.unprepared() : Effect.fail(error)
  }

  /** A statement that begins a transaction is followed by the tenant's state, and one outside of all is put into one. */
  private runFor(
    tenant: LocalTenant.LocalTenant,
    statement: LeaseStatement,
    fiber: AnyFiber
  ): Effect.Effect<any, SqlError> {
    const once = Effect.withFiber((fiber) => this.runOnce(statement, fiber))
    const { verdict } = statement
    if (verdict.control !== undefined) return tenant.after(once, this.runOwn)
    if (this.isWithin(fiber)) return once
    const alone = Effect.catchIf(
      this.terms.alone(this, once),
      (error) => LocalTenant.refusedInTransaction(error) !== undefined,
      (error) => this.misused(LocalTenant.refusedInTransaction(error)!)
    )
    return verdict.mayWrite ? alone : Effect.mapError(alone, LocalTenant.ofRead)
  }

  private readonly runOwn: LocalTenant.RunOwn = (text, params) =>
    Effect.withFiber((fiber) => this.runOnce(new LeaseStatement(this, text, params, "result", false, "pool"), fiber))

  /** Whether a statement of a fiber belongs to an open transaction, one that was begun by a text included. */
  private isWithin(fiber: AnyFiber): boolean {
    const level = this.levelOf(fiber)
    return level === undefined ? !this.turns.isInLevel && this.tenant?.isSet === true : level.isOpen
  }

  /** Whether a prepared statement was refused for what was true when it was prepared, and nothing was lost with it. */
  private mayRunAnew(error: SqlError): boolean {
    return !this.session.isInTransaction && isOutdated(error)
  }

  private runOnce(statement: LeaseStatement, fiber: AnyFiber): Effect.Effect<any, SqlError> {
    const rule = this.refusal(fiber, statement.verdict) ??
      (statement.runBy === "pool" ? undefined : this.terms.ruleOf?.(statement.text))
    if (rule !== undefined) return this.misused(rule)
    return this.isShared ? this.runShared(statement) : this.runAlone(statement, fiber)
  }

  /** Takes in that a statement begins. */
  begin({ text, verdict }: { readonly text: string; readonly verdict: Verdict.Verdict }): Begun {
    const { session, terms } = this
    const { isDead, isInTransaction } = session
    session.begin(text, verdict)
    return { verdict, wasDead: isDead, wasInTransaction: isInTransaction, at: terms.now() }
  }

  /** Tells the pool of the end of a statement; without an exit nobody waits for it any more. */
  ended({ text }: { readonly text: string }, { at, verdict }: Begun, exit?: AnyExit): void {
    const { options: { expectsPrimary, onOperation }, isDead: isSessionDead } = this.session
    if (onOperation === undefined) return
    onOperation(new StatementEnd({ text, verdict, took: this.terms.now() - at, isSessionDead, expectsPrimary }, exit))
  }

  explained(error: SqlError, before: Loss.Before): SqlError {
    const { session } = this
    if (session.isDead) return Loss.explain(error, session.wire, before)
    // In company nobody knows whose statement ran last.
    if (session.ranPrepared && !this.isShared && isOfTypes(serverError(error))) {
      session.options.schema.changes++
      markOutdated(error)
    }
    return error
  }

  /** In company an interrupted statement just goes on. */
  private runShared(statement: LeaseStatement): Effect.Effect<unknown, SqlError> {
    const { session } = this
    let begun: Begun | undefined
    const sent = Effect.suspend(() => {
      begun = this.begin(statement)
      return statement.send(session.own)
    })
    // Around the beginning too: one that is never ended would seem to run for ever.
    const told = Effect.onExitPrimitive(sent, (exit) => {
      const before = begun
      if (before === undefined) return undefined
      session.finish(statement.text)
      if (Exit.hasInterrupts(exit)) session.isAbandoned = true
      const seen = Exit.isSuccess(exit) ? exit : Exit.mapError(exit, (error) => this.explained(error, before))
      this.ended(statement, before, seen)
      return undefined
    })
    // An error is one of a statement that has begun.
    const answer = Effect.catch(told, (error) => this.again(statement, this.explained(error, begun!)))
    return statement.gives === "rows" ? Effect.map(answer, rowsOf) : answer
  }

  /** Looking whose turn it is and sending are one step. */
  private runAlone(statement: LeaseStatement, fiber: AnyFiber): Effect.Effect<any, SqlError> {
    const { turns } = this
    const { verdict } = statement
    return Effect.callback((resume) => {
      if (turns.isUsed) {
        const isControl = statement.runBy === "pool" || verdict.isOfClient
        const level = isControl ? undefined : this.levelOf(fiber)
        if (!(isControl ? turns.isFreeForControl : turns.isFree(level))) {
          resume(Effect.andThen(
            turns.wait(level, isControl),
            Effect.withFiber((fiber) => this.runOnce(statement, fiber))
          ))
          return undefined
        }
      }
      const rule = statement.runBy === "pool" ? undefined : this.tenant?.sends(verdict)
      if (rule !== undefined) {
        resume(this.misused(rule))
        return undefined
      }
      if (statement.runBy !== "own fiber") return new RunAlone(statement, fiber, resume)
      resume(statement.runHere(this.session.pg))
      return undefined
    })
  }

  /** The transaction of this lease that the fiber is in. */
  private levelOf(fiber: AnyFiber): Level | undefined {
    const level = Level.of(fiber.getRef(CurrentLevel), this)
    // A fiber that has left the transaction does the work after its commit.
    return level?.isOpen === false && !this.terms.isIn(this, fiber.context) ? undefined : level
  }

  /** The rule that a statement of the borrower would break; without a verdict, that a stream or a listener would. */
  private refusal(fiber: AnyFiber, verdict: Verdict.Verdict | undefined): string | undefined {
    if (!this.isActive) {
      if (this.terms.isIn(this, fiber.context)) return outlived
      return usedAfterLease
    }
    if (this.turns.isUsed) {
      if (this.levelOf(fiber)?.isOpen === false) {
        return "a statement of a transaction was run after the transaction had ended: wait for the fibers that it forks"
      }
      if (this.turns.isOwnStream(fiber)) {
        return "a statement was run by the reader of a stream on the same connection, which sends nothing before the " +
          "stream's end: collect the rows first, or take another connection"
      }
    }
    return this.isShared && verdict?.isShareable !== true
      ? "a shared connection is for single statements that leave nothing behind: use withConnection"
      : undefined
  }

  private misused(rule: string): Effect.Effect<never> {
    const { pool } = this.terms
    const died = Effect.die(new PoolMisuse({ pool, rule }))
    // Nobody awaits such a fiber, so nobody would hear of its end.
    return rule === outlived ? Effect.andThen(Effect.annotateLogs(Effect.logWarning(rule), { pool }), died) : died
  }

  /** Opens a transaction of a fiber that is in those around `level`, until the scope closes. */
  enter(level: Level): Effect.Effect<this, SqlError, Scope.Scope> {
    const { turns } = this
    return Effect.withFiber((fiber) => {
      const rule = this.refusal(fiber, undefined)
      if (rule !== undefined) return this.misused(rule)
      const before = this.levelOf(fiber)
      level.lease = this
      const scope = Context.getUnsafe(fiber.context, Scope.Scope)
      // To leave one that was not entered changes nothing.
      return Effect.flatMap(Scope.addFinalizer(scope, turns.leave(level, before)), () => {
        const waiting = turns.enter(level, before)
        return waiting === undefined ? Effect.succeed(this) : Effect.as(waiting, this)
      })
    })
  }

  private rows(
    text: string,
    params: Params,
    prepare: boolean,
    transformRows: TransformRows
  ): Effect.Effect<ReadonlyArray<any>, SqlError> {
    const statement = new LeaseStatement(this, text, params, "rows", prepare)
    const rows = transformRows === undefined ? statement : Effect.map(statement, transformRows)
    return statement.verdict.opensLevel ? this.session.open(rows, this.terms.limits.wait) : rows
  }

  execute(text: string, params: Params, transformRows: TransformRows): Effect.Effect<ReadonlyArray<any>, SqlError> {
    return Verdict.of(text).endsLevel ? this.endLevel(text, params) : this.rows(text, params, true, transformRows)
  }

  executeUnprepared(
    text: string,
    params: Params,
    transformRows: TransformRows
  ): Effect.Effect<ReadonlyArray<any>, SqlError> {
    return this.rows(text, params, false, transformRows)
  }

  /**
   * A dead session has rolled back already, and an end that fails would be a defect in place of the error that the caller is
   * owed. Where a savepoint can't be released any more, what follows in its transaction fails.
   */
  private endLevel(text: string, params: Params): Effect.Effect<ReadonlyArray<any>, SqlError> {
    const ended = this.session.conclude(new LeaseStatement(this, text, params, "rows", true, "own fiber"), [])
    return Effect.catchIf(ended, () => this.session.isDead, () => Effect.succeed([]))
  }

  /** Commits the transaction that is open. */
  commit(): Effect.Effect<Result, SqlError> {
    return this.session.commit(new LeaseStatement(this, "COMMIT", [], "result", true, "own fiber"))
  }

  executeRaw(text: string, params: Params): Effect.Effect<unknown, SqlError> {
    return new LeaseStatement(this, text, params, "result", true)
  }

  executeValues(text: string, params: Params): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return new LeaseStatement(this, text, params, "values", true)
  }

  executeValuesUnprepared(
    text: string,
    params: Params
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return new LeaseStatement(this, text, params, "values", false)
  }

  executeStream(text: string, params: Params, transformRows: TransformRows): Stream.Stream<any, SqlError> {
    const rows = Stream.unwrap(Effect.withFiber((fiber) => {
      const verdict = Verdict.of(text)
      const rule = this.refusal(fiber, this.isShared ? undefined : verdict) ?? this.terms.ruleOf?.(text)
      if (rule !== undefined) return this.misused(rule)
      return this.tenant === undefined || this.isWithin(fiber)
        ? this.openStream(text, params, verdict, this.levelOf(fiber))
        : this.openStreamAlone(text, params, verdict, fiber)
    }))
    return transformRows === undefined
      ? rows
      : Stream.mapArray(rows, (rows) => transformRows(rows) as NonEmptyReadonlyArray<Row>)
  }

  /** A stream for a tenant outside of a transaction has one of its own, which ends with it. */
  private openStreamAlone(
    text: string,
    params: Params,
    verdict: Verdict.Verdict,
    fiber: AnyFiber
  ): Effect.Effect<Stream.Stream<Row, SqlError>, SqlError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const level = new Level(fiber.getRef(CurrentLevel))
      yield* this.enter(level)
      // A transaction that can't be rolled back is noticed when the lease ends.
      yield* Effect.addFinalizer(() =>
        this.tenant?.isSet === true ? Effect.ignore(this.execute("ROLLBACK", [], undefined)) : Effect.void
      )
      yield* this.execute("BEGIN", [], undefined)
      const scope = yield* Scope.fork(yield* Effect.scope)
      const rows = yield* Scope.provide(this.openStream(text, params, verdict, level), scope)
      // The server takes the end of the transaction when the stream is closed.
      const end = Effect.andThen(Scope.close(scope, Exit.void), this.terms.commit(this))
      return Stream.concat(rows, Stream.fromEffectDrain(end))
    })
  }

  /** The stream's end is waited for by nobody who was interrupted, but by the reset. */
  private openStream(
    text: string,
    params: Params,
    verdict: Verdict.Verdict,
    level: Level | undefined
  ): Effect.Effect<Stream.Stream<Row, SqlError>, SqlError, Scope.Scope> {
    const { session, turns } = this
    return Effect.gen({ self: this }, function*() {
      const open: OpenStream = { reader: undefined }
      // To close one that was not opened changes nothing.
      const scope = yield* Effect.acquireRelease(
        Scope.make(),
        (scope, exit) => session.conclude(Effect.andThen(Scope.close(scope, exit), turns.closeStream(open)), undefined)
      )
      yield* turns.openStream(open, level)
      const rule = this.tenant?.sends(verdict)
      if (rule !== undefined) return yield* this.misused(rule)
      const run = Effect.acquireRelease(
        Effect.sync(() => this.begin({ text, verdict })),
        (begun, exit) =>
          Effect.sync(() => {
            session.finish(text)
            this.ended({ text }, begun, exit)
          })
      )
      const begun = yield* Scope.provide(run, scope)
      const pull = yield* Scope.provide(Stream.toPull(session.pg.stream(text, params)), scope)
      const next = Effect.mapError(pull, (error) => isSqlError(error) ? this.explained(error, begun) : error)
      return Stream.fromPull(Effect.succeed(Effect.withFiber((reader) => {
        open.reader = reader
        return next
      })))
    })
  }

  /** The notifications of a channel until the scope closes. */
  listen(channel: string): Effect.Effect<Queue.Dequeue<Notification, SqlError>, SqlError, Scope.Scope> {
    const { session } = this
    const begin = Effect.withFiber((fiber) => {
      const rule = this.refusal(fiber, undefined) ?? this.terms.ruleOf?.("LISTEN")
      return rule === undefined ? Effect.sync(() => void session.listeners++) : this.misused(rule)
    })
    const count = Effect.acquireRelease(begin, () => Effect.sync(() => session.listeners--))
    // Its end tells the server, and waits for the answer.
    const scope = Effect.acquireRelease(
      Scope.make(),
      (scope, exit) => session.conclude(Scope.close(scope, exit), undefined)
    )
    return Effect.gen({ self: this }, function*() {
      yield* count
      const own = yield* scope
      // Before it begins, since that may never be answered; added last, so that it ends before the rest.
      yield* Effect.forkScoped(session.watchSilence(this.terms.limits))
      return yield* session.beginListener(Scope.provide(session.pg.listen(channel), own))
    })
  }
}

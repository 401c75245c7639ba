/**
 * One lease of a session, as the SQL client's connection.
 *
 * Every statement of a borrower passes through `run`, so it is here that a use after the lease is refused and that the
 * session learns what runs in it.
 */
import type { Notification, PgConnection, Result, Row } from "@effect/sql-pg/PgConnection"
import { PoolMisuse, usedAfterLease } from "@effect-pools/core/PoolError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { Connection } from "effect/sql/SqlConnection"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { PostgresConnection } from "./connectionModel.ts"
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
type Execute<A> = (pg: PgConnection, prepare: boolean) => Effect.Effect<A, SqlError>
type Params = ReadonlyArray<unknown>
type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

interface Statement<A> {
  readonly text: string
  readonly verdict: Verdict.Verdict
  readonly prepare: boolean
  readonly f: Execute<A>
  /** Whether it is the pool's own, and belongs to what was just begun. */
  readonly isOwn?: boolean | undefined
}

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
interface Begun {
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
  transaction: Begun | undefined = undefined
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

  /** An effect that can be run several times, also at once: each time it is another statement. */
  private run<A>(text: string, prepare: boolean, f: Execute<A>): Effect.Effect<A, SqlError> {
    return Effect.withFiber((fiber) => {
      const verdict = Verdict.of(text)
      const once = this.runFor({ text, verdict, prepare, f }, fiber)
      return prepare
        ? Effect.catch(once, (error) =>
          this.mayRunAnew(error)
            ? Effect.withFiber((fiber) => this.runFor({ text, verdict, prepare: false, f }, fiber))
            : Effect.fail(error))
        : once
    })
  }

  /** A statement that begins a transaction is followed by the tenant's state, and one outside of all is put into one. */
  private runFor<A>(statement: Statement<A>, fiber: AnyFiber): Effect.Effect<A, SqlError> {
    const { tenant } = this
    if (tenant === undefined) return this.runOnce(statement, fiber)
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
    Effect.withFiber((fiber) =>
      this.runOnce({
        text,
        verdict: Verdict.of(text),
        prepare: false,
        f: (pg) => pg.query(text, params, false),
        isOwn: true
      }, fiber)
    )

  /** Whether a statement of a fiber belongs to an open transaction, one that was begun by a text included. */
  private isWithin(fiber: AnyFiber): boolean {
    const level = this.levelOf(fiber)
    return level === undefined ? !this.turns.isInLevel && this.tenant?.isSet === true : level.isOpen
  }

  /** Whether a prepared statement was refused for what was true when it was prepared, and nothing was lost with it. */
  private mayRunAnew(error: SqlError): boolean {
    return !this.session.isInTransaction && isOutdated(error)
  }

  private runOnce<A>(statement: Statement<A>, fiber: AnyFiber): Effect.Effect<A, SqlError> {
    const rule = this.refusal(fiber, statement.verdict) ??
      (statement.isOwn === true ? undefined : this.terms.ruleOf?.(statement.text))
    if (rule !== undefined) return this.misused(rule)
    return this.isShared ? this.runShared(statement) : this.runAlone(statement, fiber)
  }

  /** The state in which a statement begins, and the time. */
  private begin(text: string, verdict: Verdict.Verdict): Loss.Before & { readonly at: number } {
    const { session, terms } = this
    const { isDead, isInTransaction } = session
    session.begin(text, verdict)
    return { verdict, wasDead: isDead, wasInTransaction: isInTransaction, at: terms.now() }
  }

  /** Tells the pool of the end of a statement; without an exit nobody waits for it any more. */
  private ended(
    text: string,
    { at, verdict }: { readonly at: number; readonly verdict: Verdict.Verdict },
    exit?: AnyExit
  ): void {
    const { options: { expectsPrimary, onOperation }, isDead: isSessionDead } = this.session
    if (onOperation === undefined) return
    onOperation(new StatementEnd({ text, verdict, took: this.terms.now() - at, isSessionDead, expectsPrimary }, exit))
  }

  private explained(error: SqlError, before: Loss.Before): SqlError {
    const { session } = this
    if (session.isDead) return Loss.explain(error, session.wire, before)
    // In company nobody knows whose statement ran last.
    if (session.ranPrepared && !this.isShared && isOfTypes(serverError(error))) {
      session.options.schema.changes++
      markOutdated(error)
    }
    return error
  }

  /** In company an interrupted statement just goes on. It begins with this call. */
  private runShared<A>({ f, prepare, text, verdict }: Statement<A>): Effect.Effect<A, SqlError> {
    const { session } = this
    const before = this.begin(text, verdict)
    const answer = Effect.mapError(
      f(session.own, prepare && session.prepares(text, verdict)),
      (error) => this.explained(error, before)
    )
    return Effect.onExitPrimitive(answer, (exit) => {
      session.finish(text)
      if (Exit.hasInterrupts(exit)) session.isAbandoned = true
      this.ended(text, before, exit)
      return undefined
    })
  }

  /**
   * Alone the driver stops an interrupted statement and waits for its end: in a fiber of its own, so that whoever was
   * interrupted goes on at once. Looking whose turn it is and sending are one step.
   */
  private runAlone<A>(statement: Statement<A>, fiber: AnyFiber): Effect.Effect<A, SqlError> {
    const { session, turns } = this
    const { f, prepare, text, verdict } = statement
    return Effect.callback((resume) => {
      if (turns.isUsed) {
        const isControl = statement.isOwn === true || control.test(text)
        const level = this.levelOf(fiber)
        if (!(isControl ? turns.isFreeForControl : turns.isFree(level))) {
          resume(Effect.andThen(
            turns.wait(level, isControl),
            Effect.withFiber((fiber) => this.runOnce(statement, fiber))
          ))
          return undefined
        }
      }
      const rule = statement.isOwn === true ? undefined : this.tenant?.sends(verdict)
      if (rule !== undefined) {
        resume(this.misused(rule))
        return undefined
      }
      const before = this.begin(text, verdict)
      const answer = Effect.suspend(() => f(session.pg, prepare && session.prepares(text, verdict)))
      const running = Effect.runForkWith(fiber.context)(
        Effect.mapError(answer, (error) => this.explained(error, before))
      )
      let isLeft = false
      running.addObserver((exit) => {
        session.finish(text)
        if (Exit.hasInterrupts(exit)) session.abandon(text)
        if (isLeft) return
        this.ended(text, before, exit)
        resume(exit)
      })
      return Effect.sync(() => {
        isLeft = true
        this.ended(text, before)
        session.leave(running)
      })
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
  enter(level: Level): Effect.Effect<void, SqlError, Scope.Scope> {
    const { turns } = this
    return Effect.withFiber((fiber) => {
      const rule = this.refusal(fiber, undefined)
      if (rule !== undefined) return this.misused(rule)
      const before = this.levelOf(fiber)
      level.lease = this
      return Effect.acquireRelease(turns.enter(level, before), () => turns.leave(level, before), {
        interruptible: true
      })
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
    if (opens.test(text)) return this.session.open(rows, this.terms.limits.wait)
    // A dead session has rolled back already, and an end that fails would be a defect in place of the error that the
    // caller is owed. Where a savepoint can't be released any more, what follows in its transaction fails.
    return text.startsWith("ROLLBACK") || text.startsWith("RELEASE SAVEPOINT")
      ? Effect.catchIf(this.session.conclude(rows, []), () => this.session.isDead, () => Effect.succeed([]))
      : rows
  }

  executeUnprepared(
    text: string,
    params: Params,
    transformRows: TransformRows
  ): Effect.Effect<ReadonlyArray<any>, SqlError> {
    const rows = this.transformed(this.query(text, params, false), transformRows)
    return opens.test(text) ? this.session.open(rows, this.terms.limits.wait) : rows
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
      let open: OpenStream
      const scope = yield* Effect.acquireRelease(
        Effect.flatMap(turns.openStream(level), (opened) => {
          open = opened
          return Scope.make()
        }),
        (scope, exit) => session.conclude(Effect.andThen(Scope.close(scope, exit), turns.closeStream(open)), undefined),
        { interruptible: true }
      )
      const rule = this.tenant?.sends(verdict)
      if (rule !== undefined) return yield* this.misused(rule)
      const before = this.begin(text, verdict)
      yield* Scope.addFinalizerExit(scope, (exit) =>
        Effect.sync(() => {
          session.finish(text)
          this.ended(text, before, exit)
        }))
      const pull = yield* Scope.provide(Stream.toPull(session.pg.stream(text, params)), scope)
      const next = Effect.mapError(pull, (error) => isSqlError(error) ? this.explained(error, before) : error)
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
    return Effect.andThen(
      count,
      Effect.flatMap(scope, (scope) => Scope.provide(session.pg.listen(channel), scope)).pipe(
        // Added last, so that it ends before the rest.
        Effect.tap(Effect.forkScoped(session.watchSilence(this.terms.limits)))
      )
    )
  }
}

/** The statement that opens a transaction, or a level of it. */
const opens = /^(?:BEGIN\b|SAVEPOINT effect_sql_)/

/** Runs a statement that opens or ends one: its caller made sure before that it is its turn. */
const control = /^(?:BEGIN\b|COMMIT$|ROLLBACK$|ROLLBACK TO SAVEPOINT effect_sql_|(?:RELEASE )?SAVEPOINT effect_sql_)/

const rowsOf = ({ rows }: Result): ReadonlyArray<Row> => rows

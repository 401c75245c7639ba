/**
 * A statement of a lease, and one run of it.
 *
 * Every statement passes here. So a statement is one record that is its own effect, and a run of it another, in place of a
 * chain of effects with a closure each.
 */
import type { PgConnection, Result } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SqlError } from "effect/sql/SqlError"
import type * as Loss from "./loss.ts"
import type { Answer, Line } from "./pgInternals.ts"
import type { Session } from "./session.ts"
import * as Verdict from "./verdict.ts"

type AnyExit = Exit.Exit<unknown, SqlError>
type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The state in which a statement began, and the time. */
export interface Begun extends Loss.Before {
  readonly at: number
}

/** The lease, as far as its statements need it. */
interface Lease {
  readonly session: Session
  run(statement: LeaseStatement, fiber: AnyFiber): Effect.Effect<any, SqlError>
  begin(statement: LeaseStatement): Begun
  /** Tells the pool of the end of a statement; without an exit nobody waits for it any more. */
  ended(statement: LeaseStatement, begun: Begun, exit?: AnyExit): void
  explained(error: SqlError, begun: Begun): SqlError
  /** Runs a statement that has failed once more, if that can help, or fails with its error. */
  again(statement: LeaseStatement, error: SqlError): Effect.Effect<any, SqlError>
}

/** The part of its answer that a statement gives. */
type Gives = "rows" | "result" | "values"

/**
 * A statement is run by the borrower; by the pool, to whose doing it belongs; or by a fiber that is only there for the statement,
 * so that nobody leaves it.
 */
type RunBy = "borrower" | "pool" | "own fiber"

/** An effect that can be run several times, also at once: each time it is another run. */
export class LeaseStatement extends Effectable.Class<any, SqlError> {
  readonly lease: Lease
  readonly text: string
  readonly params: ReadonlyArray<unknown>
  readonly gives: Gives
  readonly prepare: boolean
  readonly verdict: Verdict.Verdict
  readonly runBy: RunBy

  constructor(
    lease: Lease,
    text: string,
    params: ReadonlyArray<unknown>,
    gives: Gives,
    prepare: boolean,
    runBy: RunBy = "borrower"
  ) {
    super()
    this.lease = lease
    this.text = text
    this.params = params
    this.gives = gives
    this.prepare = prepare
    this.verdict = Verdict.of(text)
    this.runBy = runBy
  }

  asEffect(): Effect.Effect<any, SqlError> {
    // An effect is only ever run by a fiber.
    return this.lease.run(this, Fiber.getCurrent()!)
  }

  /** The same, without what the server knows from before. */
  unprepared(): LeaseStatement {
    return new LeaseStatement(this.lease, this.text, this.params, this.gives, false)
  }

  send(pg: PgConnection): Effect.Effect<unknown, SqlError> {
    const { params, text } = this
    return this.gives === "values"
      ? pg.queryValues(text, params, this.isPrepared)
      : pg.query(text, params, this.isPrepared)
  }

  /** Sends it for whoever has the wire. */
  sendBy(line: Line): Effect.Effect<Answer, SqlError> {
    return line.run(this.text, this.params, this.gives !== "values", this.isPrepared)
  }

  private get isPrepared(): boolean {
    return this.prepare && this.lease.session.prepares(this.text, this.verdict)
  }

  /** Takes the wire for it, if nobody has it or waits for it. */
  takeWire(): Line | undefined {
    const { line } = this.lease.session
    return line?.take() === true ? line : undefined
  }

  /** The part of an answer that the driver's own members give. */
  given({ result, values }: Answer): Result | Answer["values"] {
    return this.gives === "values" ? values : result
  }

  /** Runs it in the fiber that asks, which can't be interrupted. It begins with this call. */
  runHere(pg: PgConnection): Effect.Effect<unknown, SqlError> {
    const { lease } = this
    const begun = lease.begin(this)
    const line = this.takeWire()
    const sent = line === undefined ? this.send(pg) : Effect.map(this.sendBy(line), (answer) => this.given(answer))
    const answer = Effect.mapError(sent, (error) => lease.explained(error, begun))
    const told = Effect.onExitPrimitive(answer, (exit) => {
      line?.giveBack(Fiber.getCurrent()!)
      lease.session.finish(this.text)
      lease.ended(this, begun, exit)
      return undefined
    })
    return this.gives === "rows" ? Effect.map(told, rowsOf) : told
  }
}

/**
 * A run of a statement alone on its connection: it begins when this is made. As an effect it is what a caller does that is
 * interrupted.
 *
 * The driver stops an interrupted statement and waits for its end: in a fiber of its own, so that whoever was interrupted
 * goes on at once. Whoever finds the wire free takes it for the statement, past the effects by which the driver has others
 * wait.
 */
export class RunAlone extends Effectable.Class<void> {
  private readonly statement: LeaseStatement
  private readonly begun: Begun
  private readonly resume: (effect: Effect.Effect<any, SqlError>) => void
  /** The line whose wire it has. */
  private readonly line: Line | undefined
  private readonly running: AnyFiber
  private isLeft = false

  constructor(
    statement: LeaseStatement,
    fiber: AnyFiber,
    resume: (effect: Effect.Effect<any, SqlError>) => void
  ) {
    super()
    const { lease } = statement
    const { pg } = lease.session
    this.statement = statement
    this.resume = resume
    this.begun = lease.begin(statement)
    this.line = statement.takeWire()
    const run = Effect.runForkWith(fiber.context)
    const running = this.line === undefined ? run(statement.send(pg)) : run(statement.sendBy(this.line))
    this.running = running
    running.addObserver((exit) => this.ended(exit, running))
  }

  private ended(exit: AnyExit, running: AnyFiber): void {
    const { line, statement: { lease, text } } = this
    line?.giveBack(running)
    lease.session.finish(text)
    if (Exit.isFailure(exit)) return this.failed(exit)
    if (this.isLeft) return
    const value = line === undefined ? exit.value : this.statement.given(exit.value as Answer)
    lease.ended(this.statement, this.begun, Exit.succeed(value))
    this.resume(Exit.succeed(this.statement.gives === "rows" ? rowsOf(value) : value))
  }

  private failed(exit: AnyExit): void {
    const { begun, statement } = this
    const { lease } = statement
    if (Exit.hasInterrupts(exit)) lease.session.abandon(statement.text)
    if (this.isLeft) return
    const explained = Exit.mapError(exit, (error) => lease.explained(error, begun))
    lease.ended(statement, begun, explained)
    this.resume(Effect.catch(explained, (error) => lease.again(statement, error)))
  }

  asEffect(): Effect.Effect<void> {
    const { lease } = this.statement
    this.isLeft = true
    lease.ended(this.statement, this.begun)
    lease.session.leave(this.running)
    return Effect.void
  }
}

export const rowsOf = (answer: unknown): Result["rows"] => (answer as Result).rows

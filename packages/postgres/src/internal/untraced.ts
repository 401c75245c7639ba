/**
 * Statements that are run without a span where nobody would see it.
 *
 * Effect makes a span with its attributes for each statement, and ends it: a fifth of the effects of a short one.
 * Its own tracer keeps none of them. So as long as no other one is there, and nobody asks for the span in another way, a
 * statement is run without.
 *
 * It can go when `Statement` looks for itself whether its span is of use.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import type { Acquirer, Borrower, Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Tracer from "effect/Tracer"

type AnyFiber = Fiber.Fiber<unknown, unknown>
type AnyEffect = Effect.Effect<any, SqlError>
type TransformRows = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined
type Send = (connection: Connection, text: string, params: ReadonlyArray<unknown>) => AnyEffect

/** The parts of a statement, in the order in which Effect puts them there. */
interface Parts {
  segments: ReadonlyArray<Statement.Segment>
  acquirer: Acquirer
  compiler: Statement.Compiler
  spanAttributes: ReadonlyArray<readonly [string, unknown]>
  transformRows: TransformRows
  borrower: Borrower
}

/** A statement as Effect makes it. */
interface Traced extends Statement.Statement<any>, Readonly<Omit<Parts, "segments">> {
  /** Every way to run it comes here, but the plain one and its stream. */
  withConnection(operation: string, send: Send, withoutTransform?: boolean): AnyEffect
  toJSON(): unknown
}

/** The same statement, but one that looks whether its span is of use. */
export const of = <A>(statement: Statement.Statement<A>): Statement.Statement<A> =>
  isKnown ? new Untraced(statement as Traced) : statement

/** The same client, but with a template tag of such statements. */
export const tagOf = <Client extends Statement.Constructor>(client: Client): Client => {
  const tag = (first: any, ...args: Array<any>): unknown => {
    const made = client(first, ...args)
    return typeof first === "string" ? made : of(made)
  }
  return Object.assign(tag, client) as unknown as Client
}

/** Whether somebody may see the span of a statement. */
const isSeen = (fiber: AnyFiber): boolean =>
  fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer ||
  fiber.getRef(Statement.CurrentTransformer) !== undefined ||
  fiber.getRef(Statement.SpanPropagationEnabled)

const sample = Statement.make(Effect.never, PgClient.makeCompiler(), [], undefined).unsafe("")

/** Whether its parts are those that are known here. If not, statements stay as Effect makes them. */
const isKnown = Object.keys(sample).join() === "segments,acquirer,compiler,spanAttributes,transformRows,borrower"

/** The prototype that Effect gives its statements, as a class. */
const TracedStatement = function() {} as unknown as abstract new() => Traced
TracedStatement.prototype = Object.getPrototypeOf(sample)

class Untraced extends Effectable.Mixin(TracedStatement) {
  // To give the statement itself another prototype would take twenty times as long.
  constructor({ acquirer, borrower, compiler, segments, spanAttributes, transformRows }: Traced) {
    super()
    const own = this as Parts
    own.segments = segments
    own.acquirer = acquirer
    own.compiler = compiler
    own.spanAttributes = spanAttributes
    own.transformRows = transformRows
    own.borrower = borrower
  }

  override asEffect(): AnyEffect {
    const { transformRows } = this
    const send: Send = (connection, text, params) => connection.execute(text, params, transformRows)
    // An effect is only ever run by a fiber.
    return this.runIn(Fiber.getCurrent()!, "execute", send)
  }

  override withConnection(operation: string, send: Send, withoutTransform?: boolean): AnyEffect {
    return Effect.withFiber((fiber) => this.runIn(fiber, operation, send, withoutTransform))
  }

  private runIn(fiber: AnyFiber, operation: string, send: Send, withoutTransform = false): AnyEffect {
    if (isSeen(fiber)) return super.withConnection(operation, send, withoutTransform)
    const [text, params] = this.compile(withoutTransform)
    return this.borrower((connection) => send(connection, text, params))
  }

  /** The mixin would have it be that of any effect. */
  override toJSON(): unknown {
    return TracedStatement.prototype.toJSON.call(this)
  }
}

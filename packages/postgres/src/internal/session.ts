/**
 * One session with the server, as the pool holds it: the driver's connection and what is known of its state.
 */
import type { Signals } from "@effect-pools/core/Connector"
import * as ServerText from "@effect-pools/core/ServerText"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import type { ErrorFields } from "@effect/sql-pg/PgProtocol"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { ConnectionError, isSqlError, SqlError } from "effect/sql/SqlError"
import * as FatalSqlState from "../FatalSqlState.ts"
import * as Dirt from "./dirt.ts"
import type { Line, PgInternals, Statements } from "./pgInternals.ts"
import type { Limits } from "./limits.ts"
import { type Opened, Opening } from "./opening.ts"
import { isStale, type Schema } from "./schema.ts"
import type { Verdict } from "./verdict.ts"
import * as Tenant from "./tenant/apply.ts"
import type { Pin, SessionTenant } from "./tenant/state.ts"
import { WireState } from "./wireState.ts"

interface SessionOptions {
  /** Where it leads, without a secret. */
  readonly address: string
  /** Whether a write that meets a read-only server ends it. */
  readonly expectsPrimary: boolean
  /** Whether the driver keeps prepared statements in it. */
  readonly prepares: boolean
  readonly alwaysResets: boolean
  /** Whether a PgBouncer lends the server's end of it for each transaction anew, so that nothing here can be reset. */
  readonly isPooled?: boolean | undefined
  /** Whether several single statements may be on it at once. */
  readonly isShareable: boolean
  /** The changes of the schema that the sessions of the pool have noticed. */
  readonly schema: Schema
  /** Tells the pool of a statement that has ended. */
  readonly onOperation?: Signals["onOperation"]
}

export class Session {
  /** The driver's connection that the pool itself uses. */
  readonly own: PgConnection
  readonly options: SessionOptions
  readonly wire: WireState
  /** The statements that run or wait for their turn, and open streams. */
  readonly running: Array<string> = []
  /** The statement that began last. */
  last: string | undefined = undefined
  /** Whether the statement that began last was run by the name under which it was prepared before. */
  ranPrepared = false
  /** Whether a shared statement was left by its fiber and may still be on its way. */
  isAbandoned = false
  /** Whether the beginning of a transaction was left by its fiber, so that nothing was done in it. */
  private isLeftBeginning = false
  /** Called when it ended, or can't be trusted any more. */
  readonly onEnd = new Set<() => void>()
  /** Statements that go on by themselves, since their callers were interrupted. */
  private readonly left = new Set<Fiber.Fiber<unknown, unknown>>()
  /** The key whose callers it is set to; at first none. */
  readonly tenant: SessionTenant = { text: Tenant.textOf(Tenant.nobody), names: [], hasRole: false }
  /** Open `listen`s. */
  listeners = 0
  /** Whether the borrower declared that it only reads: a refused write is then its own doing. */
  isReadOnly = false
  /** Whether the server's messages are seen. If not, nothing is known without asking. */
  private readonly isObserved: boolean
  private readonly deadError: () => unknown
  private readonly cancel: Effect.Effect<void>
  readonly hangUp: (why?: Error) => void
  private readonly opening: Opening
  /** Whether a sign of life is asked for. */
  private isAsked = false
  /** The line of an exclusive lease's statements, where there is a short way into it. */
  readonly line: Line | undefined
  private readonly statements: Statements | undefined
  /** The changes of the schema before which everything here was prepared. */
  private schemaChanges: number
  private pinned: { readonly pg: PgConnection; readonly scope: Scope.Closeable } | undefined = undefined

  constructor(own: PgConnection, internals: PgInternals, options: SessionOptions) {
    this.own = own
    this.cancel = internals.cancel?.effect ?? own.interrupt
    this.hangUp = (why) => void internals.socket?.destroy(why)
    this.opening = new Opening(() => this.hangUp())
    this.options = options
    this.line = internals.line
    this.statements = internals.statements
    this.schemaChanges = options.schema.changes
    this.wire = new WireState(options.schema, () => this.running.length === 1 ? this.running[0] : undefined)
    this.deadError = internals.deadError ?? (() => undefined)
    internals.onRetire?.(() => {
      for (const told of Array.from(this.onEnd)) told()
    })
    this.isObserved = internals.observe !== undefined
    if (internals.observe === undefined) return
    // The login ended outside of a transaction.
    this.wire.status = "I"
    internals.observe(this.wire.observe)
  }

  /**
   * The driver's connection for an exclusive lease. A session that is never shared is pinned for life. One that can be
   * is pinned by the first statement of each exclusive lease, which can't have to wait: nobody else is on it.
   */
  get pg(): PgConnection {
    if (!this.options.isShareable) return this.own
    if (this.pinned === undefined) {
      const scope = Scope.makeUnsafe()
      this.pinned = { pg: Effect.runSync(Scope.provide(this.own.pin, scope)), scope }
    }
    return this.pinned.pg
  }

  private unpin(): void {
    if (this.pinned === undefined) return
    Effect.runSync(Scope.close(this.pinned.scope, Exit.void))
    this.pinned = undefined
  }

  /** Runs a statement by which the pool sets the session for a key: what it leaves is meant to stay. */
  readonly pin: Pin = (text, params) =>
    Effect.suspend(() => {
      const { dirt, readsOtherwise } = this.wire
      return Effect.tap(this.pg.query(text, params, false), () =>
        Effect.sync(() => {
          this.wire.dirt = dirt
          // Literals of prepared statements were read by other settings.
          if (this.wire.readsOtherwise && !readsOtherwise) this.statements?.forgetAll()
          this.wire.readsOtherwise = readsOtherwise
        }))
    })

  begin(text: string, { changesReading, dirt }: Verdict): void {
    this.running.push(text)
    this.last = text
    this.ranPrepared = false
    this.wire.dirt |= dirt
    if (changesReading) this.wire.readsOtherwise = true
    const { changes } = this.options.schema
    if (changes === this.schemaChanges) return
    this.schemaChanges = changes
    this.statements?.forgetAll()
  }

  /** Whether a statement may be prepared, or run by the name under which it was prepared. */
  prepares(text: string, { isOfTheMoment }: Verdict): boolean {
    if (this.wire.readsOtherwise || isOfTheMoment) return false
    return !this.options.prepares || this.options.schema.statements?.isRepeated(text) !== false
  }

  /** A statement was left before its end. */
  abandon(text: string): void {
    this.statements?.forgetAbandoned(text)
  }

  finish(text: string): void {
    if (this.running.length === 1) this.running.pop()
    else this.running.splice(this.running.indexOf(text), 1)
  }

  /** The cause that ended the session, `undefined` as long as it lives. */
  get end(): SessionEnded | undefined {
    const { fatal } = this.wire
    if (fatal !== undefined) {
      return new SessionEnded({ message: ServerText.clean(`${fatal.severity} ${fatal.code}: ${fatal.message}`) })
    }
    const error = this.deadError()
    if (error === undefined) return undefined
    const cause = isSqlError(error) ? error.reason.cause : error
    return new SessionEnded({ message: ServerText.messageOf(cause, "the session ended") })
  }

  get isDead(): boolean {
    return this.deadError() !== undefined || this.wire.fatal !== undefined
  }

  /** Whether a transaction is open. Says so too when nobody knows. */
  get isInTransaction(): boolean {
    return !this.isDead && this.wire.status !== "I"
  }

  /**
   * Whether the session can't be used after a lease that ended so.
   *
   * Its own messages tell. The error that the lease ended with is asked only if those can't be seen, since it may come
   * from another connection: that of another pool, used by the same effect.
   */
  isBroken(exit: Exit.Exit<unknown, unknown>): boolean {
    if (this.isDead || (this.wire.hasRefusedWrite && this.expectsWrites)) return true
    return !this.isObserved && Exit.isFailure(exit) && exit.cause.reasons.some((reason) => this.isFatal(reason))
  }

  private get expectsWrites(): boolean {
    return this.options.expectsPrimary && !this.isReadOnly
  }

  private isFatal(reason: { readonly _tag: string; readonly error?: unknown; readonly defect?: unknown }): boolean {
    const error = reason._tag === "Fail" ? reason.error : reason.defect
    if (!isSqlError(error)) return false
    const { code, severityUnlocalized: severity } = serverError(error)
    if (severity === "FATAL" || severity === "PANIC") return true
    const state = code === undefined ? undefined : FatalSqlState.find(code)
    if (state === undefined) return false
    return state.because === "role" ? this.expectsWrites : severity === undefined
  }

  /** Interrupts what nobody waits for any more. Whoever is next waits for its end. */
  leave(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.goesOn(fiber)
    fiber.interruptUnsafe()
  }

  private goesOn(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.left.add(fiber)
    fiber.addObserver(() => this.left.delete(fiber))
  }

  /** Waits for what goes on by itself, but for those who began it. */
  private readonly quiet: Effect.Effect<void> = Effect.suspend(() => Fiber.awaitAll(Array.from(this.left))).pipe(
    Effect.andThen(Effect.suspend(() => this.left.size > 0 ? this.quiet : Effect.void))
  )

  /**
   * The driver asks once for the end of what was interrupted. A request that overtakes its statement has no effect, so it is
   * made again. It is waited for, so that it can't hit what is sent later.
   */
  private readonly stopLeft: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (let wait = 100; this.left.size > 0; wait *= 2) {
      const ended = yield* Effect.timeoutOption(this.quiet, wait)
      if (ended._tag === "Some" || this.isDead) return
      yield* Effect.uninterruptible(this.cancel)
    }
  })

  /**
   * Runs what opens a transaction. Whoever is interrupted goes on at once, and a server that does not answer within the
   * limit, in milliseconds, loses the session.
   */
  open<A>(effect: Effect.Effect<A, SqlError>, limit: number): Effect.Effect<A, SqlError> {
    return Effect.interruptible(Effect.withFiber((fiber) => {
      let opened: Opened | undefined
      const begun = Effect.suspend(() => {
        opened = this.opening.begin(fiber, limit)
        return effect
      })
      // Around the beginning too: one that is never ended would cost whoever has the session then.
      return Effect.onExitPrimitive(
        Effect.mapError(
          begun,
          (error) =>
            this.opening.isLate ? unanswered("the server did not begin a transaction until acquireTimeout") : error
        ),
        (exit) => {
          if (opened === undefined) return undefined
          this.opening.end(opened)
          if (Exit.hasInterrupts(exit)) this.isLeftBeginning = true
          return undefined
        }
      )
    }))
  }

  /**
   * Runs what ends a transaction or a listener. It is carried out whatever happens, but who is interrupted does not wait
   * for it and gets `otherwise`: it goes on by itself, and before anything that is sent later. A server that does not
   * answer loses the session, and with it what was open.
   */
  conclude<A, B, E, R>(effect: Effect.Effect<A, E, R>, otherwise: B): Effect.Effect<A | B, E, R> {
    return Effect.uninterruptible(Effect.gen({ self: this }, function*() {
      const fiber = yield* Effect.forkDetach(effect, { startImmediately: true, uninterruptible: true })
      const waited = yield* Effect.exit(Effect.interruptible(Fiber.await(fiber)))
      if (Exit.isSuccess(waited)) return yield* waited.value
      this.goesOn(fiber)
      yield* Effect.forkDetach(this.hangUpUnless(fiber))
      return otherwise
    }))
  }

  /**
   * Runs what begins a listener. Whoever is interrupted goes on at once: the driver undoes what it began, which it waits for
   * without a limit. A server that does not answer loses the session.
   */
  beginListener<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptible(Effect.gen({ self: this }, function*() {
      const fiber = yield* Effect.forkDetach(effect, { startImmediately: true })
      const waited = yield* Effect.exit(Effect.interruptible(Fiber.await(fiber)))
      if (Exit.isSuccess(waited)) return yield* waited.value
      this.leave(fiber)
      yield* Effect.forkDetach(this.hangUpUnless(fiber))
      return yield* Effect.failCause(waited.cause)
    }))
  }

  /**
   * Asks for a sign of life as long as nothing is heard: a proxy that has lost the server may keep its connection to us,
   * and a listener would wait for ever. Of several that watch only one asks.
   */
  watchSilence({ answer, silence }: Limits): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (!this.isDead) {
        const { heard } = this.wire
        yield* Effect.sleep(silence)
        // Statements that run have limits of their own.
        if (this.wire.heard !== heard || this.running.length > 0 || this.isAsked || this.isDead) continue
        this.isAsked = true
        const asking = yield* Effect.forkDetach(this.pg.query("", [], false), { startImmediately: true })
        asking.addObserver(() => {
          this.isAsked = false
        })
        const ended = yield* TimeLimit.timeoutOption(Fiber.await(asking), answer)
        if (ended._tag === "None") {
          this.hangUp(new Error("the server gave no sign of life to a listener within validateTimeout"))
        }
      }
    })
  }

  private hangUpUnless(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return Effect.map(TimeLimit.timeoutOption(Fiber.await(fiber), concludeLimit), (ended) => {
      if (ended._tag === "None") this.hangUp(new Error(unconcluded))
    })
  }

  /**
   * Runs a COMMIT. It can't be interrupted, so that its outcome is known: but once somebody wants to leave, a server that
   * answers no more has `concludeLimit`.
   */
  commit<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptible(Effect.withFiber<A, E, R>((fiber) => {
      const running = Effect.runForkWith(fiber.context as Context.Context<R>)(effect, { uninterruptible: true })
      return Effect.flatMap(
        Effect.exit(Effect.interruptible(Fiber.await(running))),
        (waited) =>
          Exit.isSuccess(waited) ? waited.value : Effect.andThen(this.hangUpUnless(running), Fiber.join(running))
      )
    }))
  }

  /** The work to do before the next lease; `undefined` if there is none. */
  reset(): Effect.Effect<void, unknown> | undefined {
    if (this.left.size > 0) return Effect.andThen(this.stopLeft, Effect.suspend(() => this.reset() ?? Effect.void))
    this.isReadOnly = false
    this.wire.hasRefusedWrite = false
    // It belongs to a fiber that outlived its lease, and must not meet the next borrower.
    if (this.running.length > 0) return unclean("a statement or stream still runs after its lease")
    if (this.listeners > 0) return unclean("a listener is still open after its lease")
    this.unpin()
    if (this.options.isPooled) this.wire.dirt = Dirt.none
    else if (!this.isObserved || this.options.alwaysResets) this.wire.dirt |= Dirt.anything
    const isClean = !this.isInTransaction && this.wire.dirt === Dirt.none
    // Settings of the transaction alone have ended with it, and the rest is dirt.
    if (isClean) this.wire.readsOtherwise = false
    if (this.isAbandoned) return isClean ? this.settle : Effect.andThen(this.settle, this.clean)
    return isClean ? undefined : this.clean
  }

  /**
   * Stops what runs on the server, for a close: it would not notice before it has a result to send.
   *
   * A cancellation that overtakes its statement has no effect, so it is sent until there is nothing left to stop.
   */
  readonly stop: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    this.opening.stop()
    if (this.isAbandoned && !this.isDead) yield* Effect.forkDetach(this.quieten)
    for (let wait = 20; !this.isDead && (this.running.length > 0 || this.isAbandoned); wait *= 2) {
      yield* this.cancel
      yield* Effect.sleep(wait)
    }
  })

  // Pinning waits for the wire to be quiet, and can't be interrupted while it does: run it in a fiber of its own.
  private readonly quieten: Effect.Effect<void> = Effect.suspend(() => Effect.scoped(this.own.pin)).pipe(
    Effect.andThen(Effect.sync(() => {
      this.isAbandoned = false
    }))
  )

  // All that is still on the wire was left by its fiber, so a cancellation hits nobody else. It is sent only if the
  // statements don't end by themselves in a moment, since it takes a socket of its own.
  private readonly settle: Effect.Effect<void, unknown> = Effect.gen({ self: this }, function*() {
    const quiet = yield* Effect.forkDetach(this.quieten, { startImmediately: true })
    const ended = yield* Effect.timeoutOption(Fiber.join(quiet), "10 millis")
    if (ended._tag === "Some") return
    yield* this.cancel
    yield* Fiber.join(quiet)
  })

  private readonly clean: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const wasOpen = this.isInTransaction
    const statements = Dirt.cleaning(this.wire.dirt, this.options.prepares)
    if (statements === undefined) return unclean("the session has prepared statements of its borrower")
    const isNews = wasOpen && this.isObserved && !this.isLeftBeginning
    this.isLeftBeginning = false
    const warn = isNews
      ? Effect.logWarning("a lease ended inside a transaction, which is rolled back").pipe(
        Effect.annotateLogs({ processId: this.own.processId })
      )
      : Effect.void
    // The statements that take the dirt away take more with it.
    if (this.wire.dirt !== Dirt.none) this.tenant.text = undefined
    const run = (statement: string) => this.own.query(statement, [], false)
    return Effect.andThen(warn, Effect.forEach(wasOpen ? ["ROLLBACK", ...statements] : statements, run)).pipe(
      Effect.andThen(Effect.suspend(() => {
        if (this.isObserved && this.wire.status !== "I") return unclean("a transaction is still open")
        this.wire.dirt = Dirt.none
        this.wire.readsOtherwise = false
        return Effect.void
      }))
    )
  })
}

/** As long as the driver waits for the server to confirm a cancellation. */
const concludeLimit = "5 seconds"

const unconcluded = `the server did not answer the end of a transaction or a listener within ${concludeLimit}`

/** The server or the network ended the session. */
export class SessionEnded extends Data.TaggedError("SessionEnded")<{ readonly message: string }> {}

/** The session can't be made clean, and so is given up. */
class Unclean extends Data.TaggedError("Unclean")<{ readonly message: string }> {}

const unanswered = (message: string): SqlError =>
  new SqlError({ reason: new ConnectionError({ cause: new Error(message), message, operation: "begin" }) })

const unclean = (message: string): Effect.Effect<never, Unclean> => Effect.fail(new Unclean({ message }))

/** Errors of statements that fitted when they were prepared, as no code of theirs alone tells. */
const outdated = new WeakSet<SqlError>()

/** Takes in that the statement no longer fits, though it did when it was prepared. */
export const markOutdated = (error: SqlError): void => void outdated.add(error)

/** Whether the server refused a statement because it was prepared before a change of the schema. */
export const isOutdated = (error: SqlError): boolean => outdated.has(error) || isStale(serverError(error))

/** The server's words for an error, if it came from there. */
export const serverError = (
  error: SqlError
): Pick<ErrorFields, "code" | "severityUnlocalized" | "message" | "routine"> => {
  const { cause } = error.reason
  if (typeof cause !== "object" || cause === null) return {}
  const { code, message, routine, severityUnlocalized } = cause as Record<string, unknown>
  return {
    code: typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined,
    message: textOrNone(message),
    routine: textOrNone(routine),
    severityUnlocalized: textOrNone(severityUnlocalized)
  }
}

const textOrNone = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

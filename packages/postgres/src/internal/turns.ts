/**
 * The turns of those who use one lease.
 *
 * The server knows one line of statements a session: what runs between a savepoint and its rollback is undone with it,
 * whoever sent it, and nothing runs while rows of a stream are still to come. So while a transaction is open on a lease,
 * statements of fibers that are not in it wait for its end; and so does everything for the end of a stream.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Acquirer } from "effect/sql/SqlConnection"
import { LockTimeoutError, SqlError } from "effect/sql/SqlError"

/** A transaction, or a savepoint in it, that a fiber and those that it forked are in. */
export class Level {
  readonly outer: Level | undefined
  /** The lease that it is open on, once it has one. */
  lease: object | undefined = undefined
  /** Gives the connection of a transaction that has none yet. */
  source: Acquirer | undefined = undefined
  isOpen = true

  constructor(outer: Level | undefined) {
    this.outer = outer
  }

  /** The innermost one of a lease, among this one and those around it. */
  static of(level: Level | undefined, lease: object): Level | undefined {
    let found = level
    while (found !== undefined && found.lease !== lease) found = found.outer
    return found
  }
}

/** The innermost level of whatever lease that the fiber is in. */
export const CurrentLevel: Context.Reference<Level | undefined> = Context.Reference(
  "@effect-pools/postgres/Level",
  { defaultValue: (): Level | undefined => undefined }
)

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** A stream that is open. */
export interface OpenStream {
  /** The fiber that took rows last. If it asks for something else before the end, it waits for itself. */
  reader: AnyFiber | undefined
}

export class Turns {
  private innermost: Level | undefined = undefined
  private stream: OpenStream | undefined = undefined
  /** Made when somebody waits: few leases ever have more than one at work. */
  private waiting: Set<() => void> | undefined = undefined
  private readonly session: { readonly isDead: boolean; readonly onEnd: Set<() => void> }
  private readonly limit: Duration.Input
  /** Whether there ever was a transaction or a stream: most leases know neither. */
  isUsed = false

  constructor(session: { readonly isDead: boolean; readonly onEnd: Set<() => void> }, limit: Duration.Input) {
    this.session = session
    this.limit = limit
  }

  /** Whether a transaction that was begun by the pool is open. */
  get isInLevel(): boolean {
    return this.innermost !== undefined
  }

  /** Whether somebody in `level` may send something just now. */
  isFree(level: Level | undefined): boolean {
    return (this.innermost === level && this.stream === undefined) || this.session.isDead
  }

  /** Whether a statement that opens or ends a transaction may be sent: it has waited for the turn of its level before. */
  get isFreeForControl(): boolean {
    return this.stream === undefined || this.session.isDead
  }

  /** Whether it would wait for the fiber that asks. */
  isOwnStream(fiber: AnyFiber): boolean {
    return this.stream !== undefined && this.stream.reader === fiber && !this.session.isDead
  }

  /** Waits until it was free for a moment. Look again: somebody may have been quicker. */
  wait(level: Level | undefined, isControl: boolean): Effect.Effect<void, SqlError> {
    return Effect.suspend(() => this.inLine(() => isControl ? this.isFreeForControl : this.isFree(level), () => {}))
  }

  /** Opens `level` inside the one before: at once, or when the effect that it gives has waited for that one's turn. */
  enter(level: Level, before: Level | undefined): Effect.Effect<void, SqlError> | undefined {
    const open = (): void => {
      this.isUsed = true
      this.innermost = level
    }
    if (!this.isFree(before)) {
      return Effect.onInterrupt(this.inLine(() => this.isFree(before), open), () => this.leave(level, before))
    }
    open()
    return undefined
  }

  leave(level: Level, before: Level | undefined): Effect.Effect<void> {
    return Effect.sync(() => {
      level.isOpen = false
      if (this.innermost !== level) return
      this.innermost = before
      this.wake()
    })
  }

  /** Opens a stream in `level` once it is its turn. Whoever calls this closes it, also when interrupted here. */
  openStream(stream: OpenStream, level: Level | undefined): Effect.Effect<void, SqlError> {
    return Effect.withFiber((fiber) => {
      stream.reader = fiber
      const open = (): void => {
        this.isUsed = true
        this.stream = stream
      }
      if (!this.isFree(level)) return this.inLine(() => this.isFree(level), open)
      open()
      return Effect.void
    })
  }

  closeStream(stream: OpenStream): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.stream !== stream) return
      this.stream = undefined
      this.wake()
    })
  }

  /** Lets those that wait look again. */
  wake(): void {
    for (const look of Array.from(this.waiting ?? [])) look()
  }

  /** Waits for a turn, and takes it in the same moment. */
  private inLine(isFree: () => boolean, take: () => void): Effect.Effect<void, SqlError> {
    const turn = Effect.callback<void>((resume) => {
      const waiting = this.waiting ??= new Set()
      const look = (): void => {
        if (!isFree()) return
        waiting.delete(look)
        this.session.onEnd.delete(look)
        take()
        resume(Effect.void)
      }
      const { onEnd } = this.session
      waiting.add(look)
      // On a dead session nobody has to wait, since nothing will be carried out.
      onEnd.add(look)
      look()
      return Effect.sync(() => {
        waiting.delete(look)
        onEnd.delete(look)
      })
    })
    return TimeLimit.timeoutOrElse(turn, { duration: this.limit, orElse: () => Effect.fail(this.tooLong()) })
  }

  private tooLong(): SqlError {
    const what = this.stream === undefined ? "a transaction of another fiber" : "a stream"
    const message =
      `a statement waited for the end of ${what} on the same connection until acquireTimeout: what that one ` +
      "waits for must not need this statement"
    return new SqlError({ reason: new LockTimeoutError({ cause: new Error(message), message, operation: "query" }) })
  }
}

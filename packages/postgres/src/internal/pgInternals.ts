/**
 * The one place that reaches into what `PgConnection` keeps to itself.
 *
 * Its public interface tells neither whether a session is dead nor whether a transaction is open, and a pool must know
 * both without a round trip. Each part is looked for: with a driver that has moved one, the pool refuses to dial, since it
 * could not keep what it promises of sessions and rows. `pgInternals.test.ts` tells at once when that happens.
 */
import type { PgConnection, Result } from "@effect/sql-pg/PgConnection"
import * as PgProtocol from "@effect/sql-pg/PgProtocol"
import type { BackendMessage, Parser } from "@effect/sql-pg/PgProtocol"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { SqlError } from "effect/sql/SqlError"
import type { Duplex } from "node:stream"
import * as WireFilter from "./wire/filter.ts"

/** The parts that were found. Members that are `undefined` were not. */
export interface PgInternals {
  /** The error that ended the session, as long as it lives `undefined`. */
  readonly deadError: (() => unknown) | undefined
  /** Calls back when the session ended, or when nobody knows whether a cancellation is still on its way to it. */
  readonly onRetire: ((hook: () => void) => void) | undefined
  /** Shows each message of the server, but for rows, before the driver acts on it. */
  readonly observe: ((observer: (message: BackendMessage<unknown>) => void) => void) | undefined
  /** Cancels what runs on the server, whoever asked for it. */
  readonly cancel: Cancel | undefined
  /** The statements that the driver has prepared, or is about to. */
  readonly statements: Statements | undefined
  /** The transport, decrypted. */
  readonly socket: Duplex | undefined
  /** A pinned connection's line of statements. Without it all of them go through the driver's own members, which costs more. */
  readonly line?: Line | undefined
}

/** The statements of a pinned connection run one at a time: each takes the wire, and gives it back. */
export interface Line {
  /** Takes the wire at once, unless somebody has it or waits for it. */
  readonly take: () => boolean
  /** A fiber that has ended, or is about to, gives it back. */
  readonly giveBack: (fiber: Fiber.Fiber<unknown, unknown>) => void
  /** Runs a statement for whoever has the wire. */
  readonly run: (
    text: string,
    params: ReadonlyArray<unknown>,
    asRows: boolean,
    prepare: boolean
  ) => Effect.Effect<Answer, SqlError>
}

/** The answer of a statement: its rows are in one of the two, as they were asked for. */
export interface Answer {
  readonly result: Result
  readonly values: ReadonlyArray<ReadonlyArray<unknown>>
}

interface Cancel {
  readonly effect: Effect.Effect<void>
  /** The bytes that ask a new socket for it. */
  readonly frame: Uint8Array
  /** Does it in another way from now on, for the driver too. */
  readonly replace: (effect: Effect.Effect<void>) => void
}

/** The record that the driver keeps by a name. */
export interface Statements {
  /** Drops all that are prepared, here at once and on the server with the next one. */
  readonly forgetAll: () => void
  /** Drops a statement whose first execution was given up: the driver waits for it for ever. */
  readonly forgetAbandoned: (text: string) => void
  /** Tells of each that is run by its name or prepared, and of those dropped for it. */
  readonly onUse: (used: (isReady: boolean, evicted: number) => void) => void
}

const internalsKey = "~@effect/sql-pg/PgConnection/internals"

export const find = (connection: PgConnection): PgInternals => {
  const internals = field(connection, internalsKey)
  const deadError = field(internals, "deadError")
  const retireHooks = field(internals, "retireHooks")
  const base = field(internals, "base")
  const session = field(base, "session")
  const parser = field(session, "parser")
  const socket = field(session, "socket")
  return {
    deadError: typeof deadError === "function" ? () => deadError.call(internals) : undefined,
    onRetire: retireHooks instanceof Set ? (hook) => retireHooks.add(hook) : undefined,
    observe: isParser(parser) && isDuplex(socket)
      ? (observer) => WireFilter.install(seamOf(connection, parser, socket), observer)
      : undefined,
    cancel: cancelOf(base, session),
    // A driver that prepares nothing keeps nothing.
    statements: connection.config.prepare === false ? none : statementsOf(field(base, "prepared")),
    socket: isDuplex(socket) ? socket : undefined,
    line: lineOf(base)
  }
}

/** The version whose parts are known. The manifest asks for just this one. */
const known = "4.0.5"

/** Why the driver can't be used, or `undefined` if all parts are there. */
export const missing = (internals: PgInternals): string | undefined => {
  const { line: _, ...needed } = internals
  const parts = Object.entries(needed).filter(([, part]) => part === undefined).map(([name]) => name)
  return parts.length === 0 ? undefined : `the driver that is installed is not @effect/sql-pg ${known}, ` +
    `whose parts this pool reads: ${parts.join(", ")} not found. Install that version beside the pool`
}

// The driver hands each chunk to `pushEach` of its one parser, decrypted.
const seamOf = (connection: PgConnection, parser: Parser<unknown>, socket: Duplex): WireFilter.Seam => ({
  parser,
  registry: connection.config.types,
  maxMessageSize: connection.config.maxMessageSize ?? PgProtocol.defaultMaxMessageSize,
  write: (bytes) => socket.write(bytes)
})

const field = (self: unknown, key: string): unknown =>
  typeof self === "object" && self !== null && key in self ? (self as Record<string, unknown>)[key] : undefined

const none: Statements = { forgetAll: () => {}, forgetAbandoned: () => {}, onUse: () => {} }

interface Prepared {
  readonly ready: boolean
  readonly parsing: boolean
}

const statementsOf = (cache: unknown): Statements | undefined => {
  const known = field(cache, "statements")
  const evict = field(cache, "evict")
  const evictFailed = field(cache, "evictFailed")
  if (!(known instanceof Map) || typeof evict !== "function" || typeof evictFailed !== "function") return undefined
  const statements = known as ReadonlyMap<string, Prepared>
  const get = field(cache, "get")
  if (typeof get !== "function") return undefined
  return {
    onUse: (used) => {
      Object.assign(cache as object, {
        get: (...args: ReadonlyArray<unknown>): unknown => {
          const before = statements.size
          const prepared = get.apply(cache, args) as Prepared
          const isNew = !prepared.ready && !prepared.parsing
          used(prepared.ready, Math.max(0, before + (isNew ? 1 : 0) - statements.size))
          return prepared
        }
      })
    },
    forgetAll: () => {
      for (const prepared of Array.from(statements.values())) evict.call(cache, prepared)
    },
    forgetAbandoned: (text) => {
      // The key is the text, and for a statement with parameters their types after a zero.
      for (const [key, prepared] of Array.from(statements)) {
        const isIt = key === text || (key.startsWith(text) && key.charCodeAt(text.length) === 0)
        if (isIt && prepared.parsing && !prepared.ready) evictFailed.call(cache, prepared)
      }
    }
  }
}

interface Owned {
  readonly pinned: boolean
  readonly prepared: unknown
  readonly cycleOwned: (
    text: string,
    params: ReadonlyArray<unknown>,
    asRows: boolean,
    prepared: unknown
  ) => Effect.Effect<Answer, SqlError>
}

/** A semaphore of one, as Effect makes it. */
interface Wire {
  taken: number
  readonly free: number
  readonly waiters: ReadonlySet<unknown>
  readonly releaseUnsafe: (fiber: Fiber.Fiber<unknown, unknown>, permits: number) => void
}

const lineOf = (base: unknown): Line | undefined => {
  const wire = field(base, "wire")
  if (typeof field(base, "cycleOwned") !== "function" || !isWire(wire)) return undefined
  const owned = base as Owned
  return {
    take: () => {
      if (!owned.pinned || wire.free < 1 || wire.waiters.size > 0) return false
      wire.taken++
      return true
    },
    giveBack: (fiber) => wire.releaseUnsafe(fiber, 1),
    run: (text, params, asRows, prepare) => owned.cycleOwned(text, params, asRows, prepare ? owned.prepared : undefined)
  }
}

const isWire = (self: unknown): self is Wire =>
  typeof field(self, "taken") === "number" && typeof field(self, "free") === "number" &&
  field(self, "waiters") instanceof Set && typeof field(self, "releaseUnsafe") === "function"

interface Cancelling {
  readonly cancel: Effect.Effect<void>
}

const cancelOf = (base: unknown, session: unknown): Cancel | undefined => {
  const pid = field(session, "processId")
  const secret = field(session, "secretKey")
  if (!Effect.isEffect(field(base, "cancel")) || typeof pid !== "number" || typeof secret !== "number") return undefined
  const self = base as Cancelling
  return {
    effect: Effect.suspend(() => self.cancel),
    // The driver's writer is used again for the next frame.
    frame: Uint8Array.from(PgProtocol.encodeCancelRequest({ pid, secret })),
    replace: (cancel) => void Object.assign(self, { cancel })
  }
}

const isParser = (self: unknown): self is Parser<unknown> => typeof field(self, "pushEach") === "function"

const isDuplex = (self: unknown): self is Duplex =>
  typeof field(self, "once") === "function" && typeof field(self, "destroy") === "function"

/**
 * An in-memory backend that counts: what was opened, what was closed, how many were live at once.
 *
 * It also watches over its connections. One that is used after its close, after its lease or by two borrowers at once
 * dies, so that a pool which lends wrongly fails the test instead of passing by luck.
 *
 * @since 0.1.0
 */
import type { Connector, Signals } from "@effect-pools/core/Connector"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Census } from "./internal/census.ts"

/**
 * A connection to nowhere.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeConnection {
  /** Counts up from 1 in each fake. */
  readonly id: number
  /** Whether its close has not begun and its server has not cut it. */
  readonly isOpen: boolean
  /** Whether the server has cut it. */
  readonly isBroken: boolean
  /** Whether a borrower is using it just now. */
  readonly isBusy: boolean
  /** Whether the lease for which this view was made is over. Only with the option `lends`. */
  readonly isRevoked: boolean
  /** How often it was used. */
  readonly uses: number
}

/**
 * The server cut the connection.
 *
 * @category errors
 * @since 0.1.0
 */
export class FakeConnectionLost extends Data.TaggedError("FakeConnectionLost")<{
  readonly id: number
  readonly cause: unknown
}> {
  override get message(): string {
    return `connection ${this.id} was cut by its server`
  }
}

/**
 * A connection was used when it must not be, raised as a defect.
 *
 * @category errors
 * @since 0.1.0
 */
export class FakeMisuse extends Data.TaggedError("FakeMisuse")<{
  readonly id: number
  readonly rule: string
}> {
  override get message(): string {
    return `connection ${this.id}: ${this.rule}`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a dial takes. Default 0: it is done at once. */
  readonly connectDelay?: Duration.Input | undefined
  /** How long a close takes. Default 0: it is done at once. */
  readonly closeDelay?: Duration.Input | undefined
  /** Whether the connector can validate. Default true. */
  readonly validate?: boolean | undefined
  /** Whether the connector can reset; it then says that every connection is clean. Default true. */
  readonly reset?: boolean | undefined
  /** Whether each lease gets a view of its own, which dies when it is used after the lease. Default false. */
  readonly lends?: boolean | undefined
}

/**
 * A fake backend and its connector. The numbers are read at the moment they are asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeConnector {
  readonly connector: Connector<FakeConnection>
  /** Dials begun. */
  readonly dialled: number
  /** Dials that succeeded. */
  readonly opened: number
  /** Closes that ended, by themselves or because they were given up. */
  readonly closed: number
  /** `opened - closed`: 0 when the pool is gone, or it leaked. */
  readonly leaked: number
  /** Connections now: being opened, open and being closed. */
  readonly live: number
  /** The most connections ever live at once. */
  readonly peak: number
  readonly validated: number
  readonly resets: number
  /** The connections whose close has not begun, oldest first. */
  readonly connections: ReadonlyArray<FakeConnection>
  /**
   * Uses a connection while `body` runs. Dies if the connection is closed, revoked or used by another just now; fails
   * if its server has cut it.
   */
  readonly use: <A = void, E = never, R = never>(
    connection: FakeConnection,
    body?: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | FakeConnectionLost, R>
  /** The server cuts a connection, and the connection tells the pool. */
  readonly break: (connection: FakeConnection, cause?: unknown) => void
  /** The server cuts a connection that does not notice: only its next use or validation can tell. */
  readonly cutSilently: (connection: FakeConnection) => void
}

/**
 * Makes a fake backend.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): FakeConnector => new Fake(options)

/** The connection itself. Its views share it. */
interface Socket {
  readonly id: number
  readonly signals: Signals
  isOpen: boolean
  isBusy: boolean
  uses: number
  brokenBy: { readonly cause: unknown } | undefined
}

class View implements FakeConnection {
  readonly socket: Socket
  isRevoked = false
  constructor(socket: Socket) {
    this.socket = socket
  }
  get id(): number {
    return this.socket.id
  }
  get isOpen(): boolean {
    return this.socket.isOpen && !this.isBroken
  }
  get isBroken(): boolean {
    return this.socket.brokenBy !== undefined
  }
  get isBusy(): boolean {
    return this.socket.isBusy
  }
  get uses(): number {
    return this.socket.uses
  }
}

class Fake implements FakeConnector {
  readonly connector: Connector<FakeConnection>
  validated = 0
  resets = 0
  dialled = 0
  readonly #census = new Census()
  readonly #views = new Map<number, View>()
  readonly #connectDelay: Duration.Duration
  readonly #closeDelay: Duration.Duration

  constructor(options: Options) {
    this.#connectDelay = Duration.fromInputUnsafe(options.connectDelay ?? 0)
    this.#closeDelay = Duration.fromInputUnsafe(options.closeDelay ?? 0)
    this.connector = {
      connect: (signals) => this.#connect(signals),
      isBroken: (connection) => connection.isBroken,
      inspect: (connection) => ({
        tags: { fake: String(connection.id) },
        activity: connection.isBusy ? "use" : undefined
      }),
      ...(options.validate === false ? {} : { validate: (connection) => this.#validate(connection) }),
      ...(options.reset === false ? {} : { reset: () => this.#reset() }),
      ...(options.lends === true ? { lend: (connection) => new View(socketOf(connection)), revoke } : {})
    }
  }

  get opened(): number {
    return this.#census.opened
  }
  get closed(): number {
    return this.#census.closed
  }
  get leaked(): number {
    return this.#census.opened - this.#census.closed
  }
  get live(): number {
    return this.#census.live
  }
  get peak(): number {
    return this.#census.peak
  }
  get connections(): ReadonlyArray<FakeConnection> {
    return Array.from(this.#views.values())
  }

  readonly use = <A = void, E = never, R = never>(
    connection: FakeConnection,
    body?: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | FakeConnectionLost, R> =>
    Effect.acquireUseRelease(
      take(connection),
      // Without a body the result is `void`, which is what `A` then is.
      () => body ?? (Effect.void as Effect.Effect<A>),
      (socket) => Effect.sync(() => void (socket.isBusy = false))
    )

  readonly break = (connection: FakeConnection, cause: unknown = new Error("cut by the server")): void => {
    const socket = socketOf(connection)
    socket.brokenBy ??= { cause }
    socket.signals.onBroken(cause)
  }

  readonly cutSilently = (connection: FakeConnection): void => {
    socketOf(connection).brokenBy ??= { cause: new Error("cut by the server") }
  }

  #connect(signals: Signals): Effect.Effect<FakeConnection, never, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) => {
      const id = ++this.dialled
      const dial = Effect.map(restore(wait(this.#connectDelay)), () => this.#open(id, signals))
      return Effect.tap(this.#census.dial(dial), (view) => Effect.addFinalizer(() => this.#close(view)))
    })
  }

  #open(id: number, signals: Signals): View {
    const view = new View({ id, signals, isOpen: true, isBusy: false, uses: 0, brokenBy: undefined })
    this.#views.set(id, view)
    return view
  }

  #close(view: View): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!view.socket.isOpen) return misuse(view, "closed twice")
      view.socket.isOpen = false
      this.#views.delete(view.id)
      return this.#census.close(wait(this.#closeDelay))
    })
  }

  #validate(connection: FakeConnection): Effect.Effect<void, FakeConnectionLost> {
    return Effect.suspend(() => {
      this.validated++
      return this.use(connection)
    })
  }

  #reset(): undefined {
    this.resets++
    return undefined
  }
}

const wait = (delay: Duration.Duration): Effect.Effect<void> =>
  Duration.isZero(delay) ? Effect.void : Effect.sleep(delay)

const revoke = (lent: FakeConnection): void => {
  viewOf(lent).isRevoked = true
}

const take = (connection: FakeConnection): Effect.Effect<Socket, FakeConnectionLost> =>
  Effect.suspend(() => {
    const view = viewOf(connection)
    const { socket } = view
    if (view.isRevoked) return misuse(view, "used after its lease")
    if (!socket.isOpen) return misuse(view, "used after its close")
    if (socket.isBusy) return misuse(view, "used by two borrowers at once")
    if (socket.brokenBy !== undefined) {
      return Effect.fail(new FakeConnectionLost({ id: socket.id, cause: socket.brokenBy.cause }))
    }
    socket.isBusy = true
    socket.uses++
    return Effect.succeed(socket)
  })

const misuse = (connection: FakeConnection, rule: string): Effect.Effect<never> =>
  Effect.die(new FakeMisuse({ id: connection.id, rule }))

const socketOf = (connection: FakeConnection): Socket => viewOf(connection).socket

const viewOf = (connection: FakeConnection): View => {
  if (connection instanceof View) return connection
  throw new TypeError("not a connection of FakeConnector")
}

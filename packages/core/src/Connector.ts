/**
 * The contract between the pool and a backend.
 *
 * A connector says how one connection is opened, checked, cleaned and recognised as broken. It knows nothing of
 * limits, waiting, retries or timeouts: the pool owns all of those. Good connectors are small.
 *
 * | step | called | may it wait? | bounded by |
 * | --- | --- | --- | --- |
 * | `connect` | beside the callers, in the pool's scope | yes | `connectTimeout` |
 * | `validate` | before a lease that finds no fresh connection, and by the health check | yes | `validateTimeout` |
 * | `lend` / `revoke` | at the start and the end of each lease | no | - |
 * | `isBroken` | at the end of each lease | no | - |
 * | `reset` | at the end of each lease, unless broken | yes, or not at all | `resetTimeout` |
 * | the finalizers of `connect`'s scope | when the pool retires the connection | yes | `closeTimeout` |
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Operation } from "./internal/model/operation.ts"
import type { HealthWarning } from "./PoolHealth.ts"

export type { Operation, OperationEnd } from "./internal/model/operation.ts"

/**
 * Callbacks that the pool gives a connection while it is being opened, so that it can report its own end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Signals {
  /**
   * Tells the pool at once that the connection is dead, from any callback and in any state.
   *
   * An idle connection is retired on the spot, a lent one when it comes back. Calling it again changes nothing.
   */
  readonly onBroken: (cause: unknown) => void
  /**
   * Tells the pool at once that the connection is over in good order, such as one whose server said goodbye to it.
   *
   * An idle connection is retired on the spot, a lent one when it comes back, and nobody new shares it. Unlike after
   * `onBroken` nothing is logged, and no other connection is doubted. What it reports afterwards changes nothing.
   */
  readonly onEnded: () => void
  /**
   * Tells the pool of a statement, command, request or message on the connection that has ended, for its numbers,
   * metrics and health. It costs a tenth of a microsecond.
   */
  readonly onOperation?: ((operation: Operation) => void) | undefined
  /**
   * Tells the pool that the server refused work on an open connection because it is full, as HTTP does by a status of 429 or
   * 503: the pool keeps to one connection fewer than are open for 30 s, or for `retryAfter` if that is longer, and
   * then goes up again step by step. Of a dial that is refused so, the field `refusal` of its error tells it, and the pool
   * keeps to the connections that the server has taken.
   */
  readonly onFull?: ((refused: Refused) => void) | undefined
}

/**
 * The refusal of a server that is full.
 *
 * @category models
 * @since 0.1.0
 */
export interface Refused {
  /** The server's words, such as `status 429`. Never a secret. */
  readonly said: string
  /** How long the refused work took, in milliseconds: of work that is refused together only the first counts. */
  readonly took: number
  /** How long the server asks to be left alone, in milliseconds, if it says so. At most five minutes are heeded. */
  readonly retryAfter?: number | undefined
}

/**
 * The description of a connection for `ConnectionPool.connections`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Inspection {
  /** Short facts that do not change, such as the process id of the backend. Never a secret. */
  readonly tags: Readonly<Record<string, string>>
  /** Its current work, such as the statement it runs. Cut to 100 characters by the pool. */
  readonly activity?: string | undefined
  /**
   * The work it did last, for the account of who takes most of the connections' time. Cut to 100 characters as well.
   */
  readonly lately?: string | undefined
}

/**
 * How the pool opens, checks, cleans and gives up one kind of connection.
 *
 * `Connection` is what the pool holds; `Lent` is what a borrower is given, by default the connection itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connector<Connection, Lent = Connection> {
  /**
   * Opens one connection, ready for its first lease: address look-up, transport, TLS, login and set-up.
   *
   * The finalizers it adds to its scope close the connection. An error with a field `isRetryable` set to `false`
   * (a wrong password, an unknown database) ends the round of attempts at once. A field `refusal` says why a server
   * turned the dial away: `"credentials"` or `"capacity"` (it has no room for more connections). Credentials that
   * rotate belong in here: the effect is evaluated anew for each dial.
   */
  readonly connect: (signals: Signals) => Effect.Effect<Connection, unknown, Scope.Scope>
  /**
   * Proves that the connection works, by a round trip. A failure, a defect or a time-out retires it.
   *
   * Without it a connection that is suspected to be dead can't prove itself and is retired instead.
   */
  readonly validate?: ((connection: Connection) => Effect.Effect<unknown, unknown>) | undefined
  /**
   * Makes the connection clean for the next borrower, given how the lease ended. `undefined` says it is clean
   * already, which costs nothing: return it whenever the protocol's own state tells.
   *
   * Without it a connection whose lease was interrupted is retired, since nobody knows what it was in the middle of.
   */
  readonly reset?:
    | ((connection: Connection, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown> | undefined)
    | undefined
  /**
   * Says from its state and the lease's exit whether the connection can no longer be used. It must not wait.
   */
  readonly isBroken?: ((connection: Connection, exit: Exit.Exit<unknown, unknown>) => boolean) | undefined
  /**
   * Makes the view of the connection that one borrower gets. Use it, with `revoke`, to make a use after the lease a
   * defect instead of an accident. `isShared` tells whether others may have a view of the same connection beside it.
   */
  readonly lend?: ((connection: Connection, isShared?: boolean) => Lent) | undefined
  /** Called when the lease ends: from here on the view must refuse every use. */
  readonly revoke?: ((lent: Lent) => void) | undefined
  /**
   * How many callers may use one connection at once through `withShared`, for a protocol that keeps their requests
   * apart: an integer of at least 1. Default 1.
   */
  readonly sharers?: number | undefined
  /**
   * Which connection a caller of `withShared` is given.
   *
   * - `"idle"` (the default): one that nobody uses, and only then the one with the fewest sharers; while callers share,
   *   the pool opens one more at a time. A slow request holds up few others
   * - `"busiest"`: the one with the most sharers that is not full yet. Another is taken, or opened, only when all are
   *   full. For a protocol whose requests gain from leaving together: fewer writes, and fewer connections
   * - `"adaptive"`: while shared leases last less than 2 ms on average, or up to 10 ms of which each has less than 0.25 ms
   *   as its part, callers that come together (within 2 to 10 ms, four times as long as leases last) fill a connection
   *   before another is taken, so that their requests leave together; otherwise as `"idle"`. For a protocol that answers
   *   in turn: a slow request holds up those that came with it, and nobody later
   *
   * Either way a caller that waits for a connection of its own is overtaken by no sharer.
   */
  readonly joins?: "idle" | "busiest" | "adaptive" | undefined
  /**
   * Warnings that hold for as long as it is used, such as that it does not verify the server. They stand in the
   * pool's health, and are logged once when the pool is made.
   */
  readonly warnings?: ReadonlyArray<HealthWarning> | undefined
  /**
   * Whether the death of one says nothing of the others, as of worker processes or of sessions with different servers.
   * Default false: connections lead to one backend, and where one proves dead the others prove themselves before they
   * are lent, or are replaced where there is no `validate`.
   */
  readonly areIndependent?: boolean | undefined
  /** The description that `ConnectionPool.connections` shows. It must not wait. */
  readonly inspect?: ((connection: Connection) => Inspection) | undefined
}

/**
 * A gated backend seen from the server: it counts every socket from the start of its dial to the end of its close, and
 * knows which connections have proved themselves, so that a test can tell what the pool should know.
 */
import type { Connector } from "@effect-pools/core"
import { type FakeConnector, GatedConnector } from "@effect-pools/testing"
import { Clock, Effect, Exit } from "effect"

type Connection = FakeConnector.FakeConnection

export interface Options {
  readonly maxConnections: number
  readonly freshnessWindow: number
  readonly slow: number
  readonly validates: boolean
  readonly resets: boolean
  /** How many callers may share a connection. */
  readonly sharers?: number
  readonly joins?: "idle" | "busiest"
  /** How long the pool lets a dial take, in milliseconds. */
  readonly connectTimeout?: number
  /** Dials can't be interrupted. */
  readonly stubborn?: boolean
}

export class Witness {
  readonly gated: GatedConnector.GatedConnector
  readonly connector: Connector.Connector<Connection>
  readonly options: Options
  /** Sockets now, as the server counts them, and the most there ever were. */
  sockets = 0
  peak = 0
  /** Sockets the pool has given up although they would not close. */
  givenUp: () => number = () => 0
  /** Sockets that the server has room for beside those of others. */
  room: () => number = () => Infinity
  readonly broken: Array<string> = []
  /** Validations that were seen to fail. */
  private failedValidations = 0
  private signals: Connector.Signals | undefined = undefined
  /** How many borrowers use a connection. */
  private readonly uses = new Map<number, number>()
  private doubt = 0
  private alarms = 0
  private readonly alarmed = new Set<number>()
  /** Connections that were found broken at the end of a lease. */
  private readonly foundBroken = new Set<number>()
  private readonly provedSince = new Map<number, number>()
  private readonly tainted = new Set<number>()
  /** Connections that are replaced, and how many doubts there were when they began to be. */
  private readonly replaced = new Map<number, number>()
  /** How often all were to be replaced. */
  private generation = 0
  /** Dials under way. */
  private dialing = 0
  /** Whether the last dial has failed. */
  private isFailing = false
  private readonly proofs = new Map<number, { readonly at: number; readonly doubt: number }>()

  constructor(options: Options) {
    this.options = options
    this.gated = GatedConnector.make({
      lends: true,
      validate: options.validates,
      reset: options.resets,
      delay: options.slow
    })
    const { connector } = this.gated
    this.connector = {
      ...connector,
      sharers: options.sharers,
      joins: options.joins,
      reset: connector.reset && ((connection, exit) => {
        if (this.isLent(connection)) this.broken.push(`connection ${connection.id} was reset while it was lent`)
        return connector.reset!(connection, exit)
      }),
      connect: (signals) => {
        this.signals = signals
        return this.watchDial(connector.connect(signals))
      },
      validate: connector.validate &&
        ((connection) => this.watchValidation(connection, connector.validate!(connection)))
    }
  }

  /** Says on a connection that the server is full. */
  fullServer(): void {
    this.signals?.onFull?.({ said: "status 503", took: 0 })
  }

  get fake(): FakeConnector.FakeConnector {
    return this.gated.fake
  }

  /** Something happened that casts doubt on every connection. */
  readonly doubtAll = (): void => {
    this.doubt++
  }

  /** The pool says how many validations failed: one that can't be interrupted fails at its limit, and ends later. */
  readonly failedToValidate = (count: number): void => {
    if (count <= this.failedValidations) return
    this.failedValidations = count
    this.doubtAll()
  }

  /** A connection has just worked. */
  readonly proved = (connection: Connection, at: number): void => {
    if (this.proofs.get(connection.id)?.doubt === this.doubt) this.proofs.set(connection.id, { at, doubt: this.doubt })
  }

  /** Whether the pool has no reason to check a connection before it lends it. */
  readonly isFresh = (id: number, now: number): boolean => {
    const proof = this.proofs.get(id)
    if (proof === undefined || proof.doubt !== this.doubt || this.replaced.has(id)) return false
    return !this.options.validates || now - proof.at < this.options.freshnessWindow
  }

  /** A lease has ended on a connection that its server had cut before, which the pool sees at this moment. */
  readonly endedBroken = ({ id }: Connection): void => {
    this.doubtAll()
    this.foundBroken.add(id)
  }

  /**
   * The server cuts a connection and the pool is told of it: from here on every other must prove itself. One that was
   * found broken before casts no second doubt: what was opened since is younger than its end.
   */
  readonly breakIt = (connection: Connection, isInPool: boolean): void => {
    this.doubtAll()
    const isNews = !this.alarmed.has(connection.id) && !this.foundBroken.has(connection.id)
    if (isInPool && isNews) this.alarms++
    // The second in a row that ends before anybody used it is a dial that failed; the next one that is open says otherwise.
    if (isInPool && !this.uses.has(connection.id)) this.isFailing = true
    this.alarmed.add(connection.id)
    this.fake.break(connection)
  }

  /** A connection whose borrower was interrupted: without a reset nobody may have it again. */
  readonly interrupted = (connection: Connection): void => {
    if (!this.options.resets) this.tainted.add(connection.id)
  }

  /** The pool is told to lend a connection to nobody any more. */
  readonly retired = (id: number): void => {
    this.tainted.add(id)
  }

  /** The pool is told to replace every connection. Until one is open it may lend the old ones if others can't be opened. */
  readonly replaceAll = (): void => {
    this.generation++
    for (const { id } of this.fake.connections) this.replaced.set(id, this.doubt)
  }

  readonly isReplaced = (id: number): boolean => this.replaced.has(id)

  /** A connection is lent: it must not be one that the pool has reason to mistrust. */
  readonly lent = ({ id }: Connection): void => {
    this.uses.set(id, (this.uses.get(id) ?? 0) + 1)
    if (this.alarmed.has(id)) this.broken.push(`connection ${id} was lent after it told its end`)
    if (this.tainted.has(id)) this.broken.push(`connection ${id} was lent although it was to be retired`)
    // Only the pool knows whether a dial that goes on has failed.
    if (this.replaced.get(id) === this.doubt && !this.isFailing && this.dialing === 0) {
      this.broken.push(`connection ${id} was lent although others could be opened in its place`)
    }
    if (this.provedSince.get(id) !== this.alarms) this.broken.push(`connection ${id} was lent without a proof`)
  }

  /** A borrower gives its connection back. Until now it must have had it. */
  readonly returned = ({ id, isRevoked }: Connection): void => {
    this.uses.set(id, this.uses.get(id)! - 1)
    if (isRevoked) this.broken.push(`the lease of connection ${id} was ended before its borrower was done`)
  }

  /** Whether one more caller may join those who share a connection. */
  readonly mayBeJoined = (id: number): boolean =>
    !this.alarmed.has(id) && !this.tainted.has(id) && !this.replaced.has(id) &&
    this.proofs.get(id)?.doubt === this.doubt

  private isLent({ id }: Connection): boolean {
    return (this.uses.get(id) ?? 0) > 0
  }

  private watchDial<E, R>(dial: Effect.Effect<Connection, E, R>) {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        this.sockets++
        this.peak = Math.max(this.peak, this.sockets)
        if (this.sockets - this.givenUp() > this.options.maxConnections) {
          this.broken.push(`${this.sockets} sockets, maxConnections is ${this.options.maxConnections}`)
        }
        if (this.sockets - this.givenUp() > this.room()) {
          this.broken.push(`${this.sockets} sockets, the budget has room for ${this.room()}`)
        }
        // The first finalizer is the last to run: the socket is gone when all of its close is over.
        yield* Effect.addFinalizer(() => Effect.sync(() => void this.sockets--))
        this.dialing++
        const { generation } = this
        const startedAt = yield* Clock.currentTimeMillis
        const exit = yield* Effect.exit(this.options.stubborn === true ? dial : restore(dial))
        this.dialing--
        const at = yield* Clock.currentTimeMillis
        // One that could not be stopped at its limit has failed for the pool, whatever became of it.
        const hasFailed = Exit.isFailure(exit) || at - startedAt >= (this.options.connectTimeout ?? Infinity)
        // A dial from before the order to replace everything shows nothing of what can be opened after it.
        if (hasFailed || generation === this.generation) this.isFailing = hasFailed
        if (Exit.isSuccess(exit)) {
          if (generation !== this.generation) this.replaced.set(exit.value.id, this.doubt)
          this.proofs.set(exit.value.id, { at, doubt: this.doubt })
          this.provedSince.set(exit.value.id, this.alarms)
        }
        return yield* exit
      })
    )
  }

  private watchValidation<E>(connection: Connection, validation: Effect.Effect<unknown, E>) {
    return Effect.suspend(() => {
      const { alarms, doubt } = this
      if (this.isLent(connection)) this.broken.push(`connection ${connection.id} was validated while it was lent`)
      return Effect.onExit(validation, (exit) =>
        Effect.map(Clock.currentTimeMillis, (at) => {
          if (Exit.isFailure(exit)) {
            this.failedValidations++
            return this.doubtAll()
          }
          this.proofs.set(connection.id, { at, doubt })
          this.provedSince.set(connection.id, alarms)
        }))
    })
  }
}

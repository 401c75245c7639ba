/**
 * The limits of requests under way: how long the head may take, and how long a body may stand still.
 *
 * One fiber serves all requests of a pool, and sleeps until the first of them could be late: a request costs no timer.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { Exchange } from "./exchange.ts"
import { GivenUp } from "./faults.ts"

/** The parts of a connection that are watched. */
interface Watched {
  readonly exchanges: ReadonlySet<Exchange>
  readonly isSilentSince: (exchange: Exchange) => boolean
  readonly break: (cause: unknown) => void
}

interface Limits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
}

/** A limit of a request was reached. */
class RequestTimeout extends Error {
  override readonly name = "RequestTimeout"
  readonly option: "headersTimeout" | "bodyTimeout"
  constructor(option: "headersTimeout" | "bodyTimeout", what: string, millis: number) {
    super(`${what} for ${millis} ms (${option})`)
    this.option = option
  }
}

/** How often each limit is looked at while it runs: a limit ends up to a quarter later than it says. */
const looks = 4

/** How long the body of an error waits for its reader, in milliseconds. */
const haste = 1000

export class Watch {
  private readonly connections = new Set<Watched>()
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly limits: Limits
  private isAwake = false

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => void, limits: Limits) {
    this.clock = clock
    this.fork = fork
    this.limits = limits
  }

  static readonly make = Effect.fnUntraced(function*(limits: Limits): Effect.fn.Return<Watch, never, Scope.Scope> {
    return new Watch(yield* Clock.Clock, yield* FiberSet.makeRuntime<never, void, never>(), limits)
  })

  now(): number {
    return TimeLimit.steadyMillis(this.clock)
  }

  /** Milliseconds since the epoch. */
  date(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  add(connection: Watched): void {
    this.connections.add(connection)
  }

  delete(connection: Watched): void {
    this.connections.delete(connection)
  }

  /** To be called when a request begins. */
  wake(): void {
    if (this.isAwake) return
    this.isAwake = true
    this.fork(this.loop)
  }

  /** Gives up the bodies that nobody has begun to read. */
  giveUpUnread(): void {
    for (const { exchanges } of this.connections) {
      for (const exchange of exchanges) {
        if (exchange.step === "body" && !exchange.wasRead) {
          exchange.abort(new GivenUp("nobody read it, and the pool ends"))
        }
      }
    }
  }

  /**
   * Gives up the body of an error if nobody begins to read it soon: a caller that has seen the status, as with
   * `HttpClient.filterStatusOk`, never will, and would hold the connection until `bodyTimeout`.
   */
  hurry(exchange: Exchange): void {
    this.after(Math.min(haste, this.limits.bodyTimeout), () => {
      if (exchange.step === "body" && !exchange.wasRead) {
        exchange.abort(new GivenUp("nobody read the body of the error"))
      }
    })
  }

  after(millis: number, f: () => void): void {
    this.fork(Effect.map(TimeLimit.sleep(millis), f))
  }

  private readonly loop: Effect.Effect<void> = Effect.suspend(() => {
    const isBusy = this.look()
    if (!isBusy) {
      this.isAwake = false
      return Effect.void
    }
    const { bodyTimeout, headersTimeout } = this.limits
    return Effect.andThen(TimeLimit.sleep(Math.max(1, Math.min(bodyTimeout, headersTimeout) / looks)), this.loop)
  })

  /** Ends what is late, and tells whether anything is under way. */
  private look(): boolean {
    const now = this.now()
    let isBusy = false
    for (const connection of this.connections) {
      for (const exchange of connection.exchanges) {
        isBusy = true
        if (exchange.hasMoved()) exchange.movedAt = now
        const limit = exchange.step === "body" ? this.limits.bodyTimeout : this.limits.headersTimeout
        if (now - exchange.movedAt >= limit) late(connection, exchange, this.limits)
      }
    }
    return isBusy
  }
}

const silence = (exchange: Exchange): string =>
  exchange.isSentWhole ? "the server has not answered" : "nothing more of the request could be sent"

const late = (connection: Watched, exchange: Exchange, { bodyTimeout, headersTimeout }: Limits): void => {
  if (exchange.step === "body" && !exchange.isAwaited) {
    return exchange.abort(new GivenUp(`the body of the response has not been read for ${bodyTimeout} ms (bodyTimeout)`))
  }
  const error = exchange.step === "body"
    ? new RequestTimeout("bodyTimeout", "nothing has come of the body of the response", bodyTimeout)
    : new RequestTimeout("headersTimeout", silence(exchange), headersTimeout)
  exchange.abort(error)
  // Where nothing at all has come, the other streams of a session wait in vain too.
  if (connection.isSilentSince(exchange)) connection.break(error)
}

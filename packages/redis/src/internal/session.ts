/**
 * One connection of the pool: it knows what is on its way, what its borrower left behind, and what ended it.
 */
import type { Signals } from "@effect-pools/core/Connector"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { CommandTimeout, ConnectionLost, RedisError } from "../RedisError.ts"
import * as Dirt from "./dirt.ts"
import { answerOf } from "./fault.ts"
import { isIdempotent } from "./idempotent.ts"
import type { Node } from "./node.ts"
import { CommandEnd } from "./operation.ts"
import type { Request } from "./request.ts"
import type { Address, Role } from "./settings.ts"

/** Carries requests to a server, or to the right one of several. */
export interface Carrier {
  readonly send: (request: Request) => void
  /** Sends it to that primary. */
  readonly sendTo: (request: Request, primary: Address) => void
  /** Which primaries hold the data between them. Where there is but one server, none is named. */
  readonly primaries: () => ReadonlyArray<Address>
  /** Sends what must reach one server without anything in between. */
  readonly sendTogether: (requests: ReadonlyArray<Request>) => void
  /** How many bytes wait until a server takes them. */
  readonly unsent: () => number
  /** Ends all its sockets at once. */
  readonly destroy: (cause: Error) => void
  /** Where to listen: at the server that serves a sharded channel, or at any for what all of them serve. */
  readonly listener: (shardedChannel: string | undefined) => Effect.Effect<Node, unknown>
  /**
   * Whether a node that is listened to, or the one that what has no key is sent to, still belongs to where it was found:
   * one that was taken out of a cluster answers, and hears of nothing.
   */
  readonly counts: (listening: Node | undefined) => Effect.Effect<boolean>
  /** Learns from a server's refusal where a sharded channel is. `false` if it says nothing about that. */
  readonly redirected: (error: unknown, by: Node) => boolean
}

interface SessionOptions {
  readonly address: string
  readonly db: number
  /** Milliseconds. */
  readonly commandTimeout: number
  /** The role that the server must have, if the pool wants one. To a replica a refused write is no fault. */
  readonly role: Role | undefined
  /** Whether it leads to several servers. Then nobody knows which of them a state was left in. */
  readonly isSpread: boolean
  /** Milliseconds after which what waits for ever is sent anew; `undefined` for never. */
  readonly round: number | undefined
  /** The tags that `inspect` shows. */
  readonly tags: Readonly<Record<string, string>>
}

export class Session {
  readonly carrier: Carrier
  readonly options: SessionOptions
  private readonly clock: Clock.Clock
  /** Requests that wait for their answers, oldest first. */
  private readonly outstanding = new Set<Request>()
  private ended: Error | undefined
  private hasRefusedWrite = false
  private isMistaken = false
  private isInTransaction = false
  private isWatching = false
  private isStained = false
  private hasSelected = false
  private readonly onEnd: (cause: Error) => void
  private readonly onOperation: Signals["onOperation"]
  private onQuiet: (() => void) | undefined
  private readonly busy = Latch.makeUnsafe(false)
  private isTimed = false
  private isOverrun = false

  constructor(
    carrier: Carrier,
    options: SessionOptions,
    clock: Clock.Clock,
    { onBroken, onOperation }: Pick<Signals, "onBroken" | "onOperation">
  ) {
    this.carrier = carrier
    this.options = options
    this.clock = clock
    this.onEnd = onBroken
    this.onOperation = onOperation
  }

  /** The command that began last. */
  lately: string | undefined = undefined

  /** Its activity just now. */
  get activity(): string | undefined {
    for (const request of this.outstanding) return request.name
    return undefined
  }

  /** Whether nothing waits for an answer. */
  get isQuiet(): boolean {
    return this.outstanding.size === 0
  }

  send(request: Request, primary?: Address): void {
    this.begin(request)
    if (this.ended !== undefined) request.fail(this.ended)
    else if (primary === undefined) this.carrier.send(request)
    else this.carrier.sendTo(request, primary)
  }

  sendTogether(requests: ReadonlyArray<Request>): void {
    for (const request of requests) this.begin(request)
    if (this.ended === undefined) this.carrier.sendTogether(requests)
    else for (const request of requests) request.fail(this.ended)
  }

  private begin(request: Request): void {
    this.outstanding.add(request)
    this.lately = request.name
    this.mark(request)
    // One that blocks has the time that the server was given for it besides.
    const allowed = request.isBlocking ? Dirt.blockLimit(request.name, request.args) : 0
    request.sentAt = this.now()
    request.deadline = request.sentAt + allowed + this.options.commandTimeout
    if (!this.isTimed) {
      this.isTimed = true
      this.busy.openUnsafe()
    }
  }

  /** Called by each request when it is answered, before whoever waits for it is told. */
  finish(request: Request, error: unknown): void {
    this.outstanding.delete(request)
    this.tell(request, error)
    if (error !== undefined) this.learn(error)
    if (this.outstanding.size === 0) this.onQuiet?.()
  }

  /** A command that waits for something is not slow: only its failure says something of the server. */
  private tell(request: Request, error: unknown): void {
    if (this.onOperation === undefined || request.isUntold || (request.isBlocking && error === undefined)) return
    this.onOperation(new CommandEnd(request, error, this.now()))
  }

  private learn(error: unknown): void {
    const answer = answerOf(error)
    if (answer !== undefined && isDemotion(answer)) this.hasRefusedWrite = true
    // A socket may take nothing more before it tells its end. Whoever waits must find the connection dead. One of several
    // sockets is no more than that.
    else if (
      answer === undefined && error instanceof Error && !(error instanceof RedisError) && !this.options.isSpread
    ) {
      this.lost(error)
    }
  }

  private mark(request: Request): void {
    switch (Dirt.of(request.name, request.args)) {
      case "none":
        return
      case "blocks":
        request.isBlocking = true
        return
      case "opens":
        this.isInTransaction = true
        return
      case "watches":
        if (this.options.isSpread) this.isStained = true
        this.isWatching = true
        return
      case "unwatches":
        this.isWatching = false
        return
      case "ends":
        this.isInTransaction = false
        this.isWatching = false
        return
      case "selects":
        this.hasSelected = true
        return
      case "stains":
        this.isStained = true
        return
    }
  }

  /** A clock that may be set would give commands up too early, or never. */
  now(): number {
    return TimeLimit.steadyMillis(this.clock)
  }

  /** Whether a round that was begun then is over. */
  hasWaited(begunAt: number): boolean {
    const { round } = this.options
    return round !== undefined && this.now() - begunAt >= round * 0.9
  }

  /** An answer can't be that of its command: perhaps it is another's, and so are those that follow. */
  distrust(): void {
    this.isMistaken = true
  }

  /** Whether a transaction was begun by hand. */
  get isInOpenTransaction(): boolean {
    return this.isInTransaction
  }

  /**
   * Somebody no longer waits for an answer, but the server still has to take the command. Where it takes nothing, nobody
   * else joins in.
   */
  readonly leave: Effect.Effect<void> = Effect.sync(() => {
    if (this.carrier.unsent() > mostUnsent) this.isOverrun = true
  })

  /** A borrower no longer waits for an answer that may never come. */
  abandon(request: Request): void {
    request.isUntold = true
    this.kill(new Error(`${request.name} was interrupted`))
  }

  /** Ends the connection at once. */
  kill(cause: Error): void {
    if (this.ended !== undefined) return
    this.lost(cause)
    this.carrier.destroy(cause)
  }

  /** The connection has ended. */
  lost(cause: Error): void {
    if (this.ended !== undefined) return
    this.ended = cause
    this.onEnd(cause)
  }

  /** Whether the session can't be used after a lease. */
  get isBroken(): boolean {
    return this.ended !== undefined || this.isMistaken || this.isOverrun ||
      (this.hasRefusedWrite && this.options.role !== "replica")
  }

  /** The work to do before the next lease; `undefined` if there is none. */
  reset(call: (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, unknown>):
    | Effect.Effect<void, unknown>
    | undefined
  {
    this.hasRefusedWrite = false
    if (this.isStained) return unclean("its borrower changed it in a way that can't be undone")
    if (this.outstanding.size > 0) {
      return Effect.andThen(
        this.quiet,
        Effect.suspend(() => this.clean(call) ?? Effect.void)
      )
    }
    return this.clean(call)
  }

  private clean(
    call: (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, unknown>
  ): Effect.Effect<void, unknown> | undefined {
    if (!this.isInTransaction && !this.isWatching && !this.hasSelected) return undefined
    if (this.options.isSpread) return unclean("its borrower left a transaction open")
    const steps: Array<Effect.Effect<unknown, unknown>> = []
    if (this.isInTransaction) {
      steps.push(Effect.logWarning("a lease ended inside a transaction, which is discarded"), call("DISCARD"))
    } else if (this.isWatching) steps.push(call("UNWATCH"))
    if (this.hasSelected) steps.push(call("SELECT", String(this.options.db)))
    return Effect.andThen(
      Effect.all(steps, { discard: true }),
      Effect.sync(() => {
        this.hasSelected = false
      })
    )
  }

  /** Waits for the answers that nobody waits for any more. */
  private readonly quiet: Effect.Effect<void, unknown> = Effect.callback<void, unknown>((resume) => {
    for (const request of this.outstanding) {
      if (request.isBlocking) return resume(unclean(`${request.name} still runs`))
    }
    if (this.outstanding.size === 0) return resume(Effect.void)
    this.onQuiet = () => {
      this.onQuiet = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.onQuiet = undefined
    })
  })

  /** Gives the connection up when an answer does not come in time. Runs as long as the connection lives. */
  readonly watch: Effect.Effect<never> = Effect.forever(Effect.suspend(() => {
    if (this.outstanding.size === 0) {
      this.isTimed = false
      this.busy.closeUnsafe()
      return this.busy.await
    }
    const now = this.now()
    let next = now + this.options.commandTimeout
    for (const { deadline } of this.outstanding) if (deadline < next) next = deadline
    if (next > now) return TimeLimit.sleep(next - now)
    this.expire(now)
    return Effect.void
  }))

  private expire(now: number): void {
    const { commandTimeout, isSpread } = this.options
    const cause = new Error(`no answer came within ${commandTimeout} ms (commandTimeout)`)
    const late = Array.from(this.outstanding).filter(({ deadline }) => deadline <= now)
    // First, so that whoever is told runs on without it.
    if (!isSpread) this.lost(cause)
    for (const request of late) {
      const isRetryable = !request.wasSent || isIdempotent(request.name, request.args)
      const reason = new CommandTimeout({ timeout: commandTimeout, isRetryable })
      request.fail(new RedisError({ command: request.name, reason }))
    }
    if (isSpread) { for (const { holder } of late) holder?.destroy(cause) }
    else this.carrier.destroy(cause)
  }
}

/** The server has become a replica: it takes no writes, and lets nobody wait for some. */
const isDemotion = ({ code, description }: { readonly code: string; readonly description: string }): boolean =>
  code === "READONLY" || (code === "UNBLOCKED" && description.includes("instance state changed"))

/** Bytes that may be left to a server by those who no longer wait, so that a server that hangs fills no memory. */
const mostUnsent = 16 * 1024 * 1024

const unclean = (description: string): Effect.Effect<never, RedisError> =>
  Effect.fail(
    new RedisError({ command: "reset", reason: new ConnectionLost({ wasSent: false, description, isRetryable: true }) })
  )

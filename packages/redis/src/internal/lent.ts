/**
 * One lease of a session, as the borrower sees it.
 *
 * One is made for each lease, since a connection kept too long must not reach the next lease. Every command of a
 * borrower passes through `accept`, so it is here that a use after the lease is refused.
 */
import { PoolMisuse, usedAfterLease } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { type Arg, bytes, type Command, type Decoder, text } from "../RedisCommand.ts"
import { commands } from "../RedisCommands.ts"
import type { CommandList, RedisConnection, ScanOptions, ScriptArgs } from "./connectionModel.ts"
import type { RedisError } from "../RedisError.ts"
import * as Dirt from "./dirt.ts"
import { named } from "./name.ts"
import * as Scan from "./scan.ts"
import * as Script from "./script.ts"
import * as Send from "./send.ts"
import type { Session } from "./session.ts"
import type { Address } from "./settings.ts"
import * as Transaction from "./transaction.ts"

type AnyCommand = Command<unknown>

export class LentConnection {
  readonly session: Session
  isActive = true
  /** Whether others may have a lease of the same session. Then it is for commands that leave nothing behind. */
  readonly isShared: boolean
  private readonly pool: string

  constructor(session: Session, pool: string, isShared = false) {
    this.session = session
    this.isShared = isShared
    this.pool = pool
  }

  get clientId(): number | undefined {
    const id = this.session.options.tags["clientId"]
    return id === undefined ? undefined : Number(id)
  }

  run<A>(command: Command<A>): Effect.Effect<A, RedisError> {
    return Send.one(this.session, () => this.accept(named(command)))
  }

  pipeline(list: CommandList<ReadonlyArray<AnyCommand>>): Effect.Effect<any> {
    return Send.many(this.session, () => this.acceptAll(list))
  }

  multi(list: CommandList<ReadonlyArray<AnyCommand>>): Effect.Effect<any, RedisError> {
    return Transaction.run(this.session, () => this.acceptTransaction(list))
  }

  script<A>(lua: string, args?: ScriptArgs, decode?: Decoder<A>): Effect.Effect<any, RedisError> {
    return Script.run((command) => this.run(command), lua, args, decode)
  }

  accept<C extends AnyCommand>(command: C): C {
    if (!this.isActive) throw this.misuse(usedAfterLease)
    if (this.isShared && !Dirt.isShareable(command)) {
      throw this.misuse(`${command.name} needs a connection to itself, and this one is shared: use withConnection`)
    }
    return command
  }

  scan(options?: ScanOptions): Stream.Stream<string, RedisError> {
    return Scan.keys(this, text, options)
  }

  scanBuffer(options?: ScanOptions): Stream.Stream<Buffer, RedisError> {
    return Scan.keys(this, bytes, options)
  }

  hscan(key: Arg, options?: ScanOptions): Stream.Stream<readonly [string, string], RedisError> {
    return Scan.within(this, "HSCAN", Scan.fields, key, options)
  }

  sscan(key: Arg, options?: ScanOptions): Stream.Stream<string, RedisError> {
    return Scan.within(this, "SSCAN", Scan.members, key, options)
  }

  zscan(key: Arg, options?: ScanOptions): Stream.Stream<readonly [string, number], RedisError> {
    return Scan.within(this, "ZSCAN", Scan.scored, key, options)
  }

  /** Runs a command on one of the servers that hold the data between them, and tells which they are. */
  runAt<A>(command: Command<A>, primary: Address | undefined): Effect.Effect<Scan.Step<A>, RedisError> {
    return Effect.suspend(() => {
      const { carrier } = this.session
      const at = primary ?? carrier.primaries()[0]
      return Effect.map(
        Send.one(this.session, () => this.accept(command), at),
        (value) => ({ value, at, primaries: carrier.primaries() })
      )
    })
  }

  private acceptAll(list: CommandList<ReadonlyArray<AnyCommand>>): ReadonlyArray<AnyCommand> {
    return listOf(list).map((command) => this.accept(command))
  }

  /** The server would carry out a part of it, and answer as if it had refused all. */
  private acceptTransaction(list: CommandList<ReadonlyArray<AnyCommand>>): ReadonlyArray<AnyCommand> {
    if (this.session.isInOpenTransaction) {
      throw this.misuse(
        "multi was called within a transaction that MULTI had begun: end it first, with EXEC or DISCARD"
      )
    }
    const commands = this.acceptAll(list)
    for (const { name } of commands) {
      if (Dirt.isBound(name)) throw this.misuse(`${name} can't be a part of multi, which sends its own`)
    }
    return commands
  }

  private misuse(rule: string): PoolMisuse {
    return new PoolMisuse({ pool: this.pool, rule })
  }
}

export const listOf = (list: CommandList<ReadonlyArray<AnyCommand>>): ReadonlyArray<AnyCommand> =>
  (typeof list === "function" ? list(commands) : list).map(checked)

/** An effect can't be a part of a pipeline, since it runs by itself. */
const checked = (command: AnyCommand): AnyCommand => {
  if (Array.isArray(command?.args)) return named(command)
  throw new TypeError("pipeline and multi take commands: pipeline((redis) => [redis.get(\"a\"), redis.incr(\"b\")])")
}

for (const [name, make] of Object.entries(commands) as ReadonlyArray<[string, (...args: any) => AnyCommand]>) {
  const value = function(this: LentConnection, ...args: ReadonlyArray<unknown>) {
    return Send.one(this.session, () => this.accept(make(...args)))
  }
  Object.defineProperty(LentConnection.prototype, name, { value })
}

export const leaseOf = (lent: RedisConnection): LentConnection => lent as unknown as LentConnection

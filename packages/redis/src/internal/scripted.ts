/**
 * Connections whose server is a script.
 */
import type { Signals } from "@effect-pools/core/Connector"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import { quiet } from "@effect-pools/core/PoolService"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { RawReply } from "../RedisCommand.ts"
import type { RedisOptions } from "../RedisConfig.ts"
import { CommandFailed, RedisError } from "../RedisError.ts"
import * as RedisScript from "../RedisScript.ts"
import { inspect } from "node:util"
import { care } from "./connector.ts"
import * as Options from "./options.ts"
import type { Pool } from "./pool.ts"
import { Defect, type Request } from "./request.ts"
import * as Runtime from "./runtime.ts"
import { type Carrier, Session } from "./session.ts"

type Script = RedisScript.Script

export const make = (
  id: string,
  input: Script | RedisScript.ScriptInput,
  options: Partial<RedisOptions>
): Effect.Effect<Pool, PoolError | InvalidOption, Scope.Scope> =>
  Effect.flatMap(
    Effect.fromResult(Options.check({ ...quiet, ...options }, id)),
    ({ pool, settings: { sharing } }) => {
      const script = typeof input === "function" ? RedisScript.make(input) : input
      let connections = 0
      return Runtime.makeWith({
        ...care(pool.name ?? id),
        connect: (signals) => open(script, ++connections, signals),
        validate: () => Effect.void,
        sharers: sharing,
        joins: "busiest"
      }, pool)
    }
  )

const open = Effect.fnUntraced(function*(
  script: Script,
  connection: number,
  signals: Signals
): Effect.fn.Return<Session, never, Scope.Scope> {
  const context = yield* Effect.context<Scope.Scope>()
  const server = new Server(script, connection, (effect) => {
    Effect.runForkWith(context)(Effect.forkScoped(effect, { startImmediately: true }))
  })
  const options = {
    address: "scripted",
    db: 0,
    commandTimeout: 10_000,
    role: undefined,
    // A script may answer at once that nothing came.
    round: undefined,
    isSpread: false,
    tags: { address: "scripted", clientId: String(connection) }
  }
  const session = new Session(server, options, yield* Clock.Clock, signals)
  yield* Effect.forkScoped(session.watch)
  return session
})

/** The server's end of one connection: it keeps the commands of an open transaction. */
class Server implements Carrier {
  private readonly script: Script
  private readonly connection: number
  private readonly fork: (effect: Effect.Effect<void>) => void
  private queued: Array<Effect.Effect<RedisScript.Answered, RedisScript.Failure>> | undefined
  private readonly waiting = new Set<Request>()

  constructor(script: Script, connection: number, fork: (effect: Effect.Effect<void>) => void) {
    this.script = script
    this.connection = connection
    this.fork = fork
  }

  primaries(): readonly [] {
    return []
  }

  listener(): Effect.Effect<never, RedisError> {
    const reason = new CommandFailed({ code: "ERR", description: "a script has no messages to listen to" })
    return Effect.fail(new RedisError({ command: "SUBSCRIBE", reason }))
  }

  redirected(): boolean {
    return false
  }

  counts(): Effect.Effect<boolean> {
    return Effect.succeed(true)
  }

  send(request: Request): void {
    this.waiting.add(request)
    this.script.record({ connection: this.connection, command: request.name, args: request.args })
    const answer = this.answer(request)
    // Where no answer is needed later, it comes at once, and the order of commands is that of their answers.
    this.fork(Effect.map(Effect.exit(answer), (exit) => {
      if (!this.waiting.delete(request)) return
      if (Exit.isSuccess(exit)) return settle(request, exit.value)
      const error = Exit.findErrorOption(exit)
      request.fail(error._tag === "Some" ? error.value : new Defect(Cause.squash(exit.cause)))
    }))
  }

  sendTo(request: Request): void {
    this.send(request)
  }

  unsent(): number {
    return 0
  }

  sendTogether(requests: ReadonlyArray<Request>): void {
    for (const request of requests) this.send(request)
  }

  destroy(cause: Error): void {
    for (const request of this.waiting) request.fail(cause)
    this.waiting.clear()
  }

  private answer(request: Request): Effect.Effect<RedisScript.Answered, RedisScript.Failure> {
    const { queued } = this
    switch (request.name) {
      case "MULTI":
        this.queued = []
        return ok
      case "EXEC":
        this.queued = undefined
        return queued === undefined ? Effect.fail(withoutMulti) : Effect.all(queued.map(inExec))
      case "DISCARD":
        this.queued = undefined
        return ok
      case "WATCH":
      case "UNWATCH":
      case "SELECT":
        return ok
      case "PING":
        return Effect.succeed("PONG")
    }
    const answer = Effect.suspend(() => this.scripted(request))
    if (queued === undefined) return answer
    queued.push(answer)
    return Effect.succeed("QUEUED")
  }

  private scripted(request: Request): Effect.Effect<RedisScript.Answered, RedisScript.Failure> {
    const answer = this.script.answer(request.name, request.args)
    if (answer === undefined) return Effect.die(new Error(`the script has no answer for ${told(request)}`))
    return Effect.isEffect(answer) ? answer : Effect.succeed(answer)
  }
}

/** The command as the script saw it: a test is wrong about its arguments more often than about its name. */
const told = ({ args, name }: Request): string =>
  [name, inspect(args, { breakLength: Infinity, depth: 2, maxArrayLength: 20, maxStringLength: 100 })].join(" ")

const ok = Effect.succeed("OK")
const withoutMulti = RedisScript.failure("ERR", "EXEC without MULTI")

/** In a transaction an error is one of the answers. */
const inExec = (
  answer: Effect.Effect<RedisScript.Answered, RedisScript.Failure>
): Effect.Effect<RedisScript.Answered> => Effect.catch(answer, (failure) => Effect.succeed(failure))

const settle = (request: Request, answered: RedisScript.Answered): void => {
  if (answered instanceof RedisScript.Failure) request.fail(answered)
  else request.resolve(rawOf(answered))
}

const rawOf = (answered: RedisScript.Answered): RawReply => {
  if (answered instanceof RedisScript.Failure) return answered
  if (answered instanceof Uint8Array) return Buffer.from(answered)
  return Array.isArray(answered) ? answered.map(rawOf) : answered as RawReply
}

/**
 * Sends commands on a session and gives their answers as effects.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { type Arg, type Command, Mismatch, type RawReply } from "../RedisCommand.ts"
import { IntegerTooLarge, InvalidCommand, RedisError, UnexpectedReply } from "../RedisError.ts"
import * as Fault from "./fault.ts"
import { Defect, type EncodedArg, Request } from "./request.ts"
import * as Rounds from "./rounds.ts"
import type { Session } from "./session.ts"
import type { Address } from "./settings.ts"

/**
 * Runs one command, which is made in the fiber, so that what is wrong with it is a defect there. One of the pool's own is no
 * operation of the program's.
 */
export const one = <A>(
  session: Session,
  prepare: () => Command<A>,
  primary?: Address,
  isOwn = false
): Effect.Effect<A, RedisError> =>
  Effect.callback((resume) => {
    const command = prepare()
    const args = encodeAll(command)
    if (typeof args === "string") return resume(Effect.fail(refusal(command.name, args)))
    const rounds = roundsOf(session, command.name, args)
    if (rounds !== undefined) return inRounds(session, command, rounds, resume)
    const request = new Request(command.name, args, (request, reply, error) => {
      session.finish(request, error)
      resume(answered(session, command, request, reply, error))
    })
    request.isUntold = isOwn
    request.decode = command.decode
    session.send(request, primary)
    return request.isBlocking ? Effect.sync(() => session.abandon(request)) : session.leave
  })

/** The decoder may be the user's: it runs in the fiber, where its bugs are defects of the fiber. */
const answered = <A>(
  session: Session,
  command: Command<A>,
  request: Request,
  reply: RawReply,
  error: unknown
): Effect.Effect<A, RedisError> =>
  error === undefined ? Effect.suspend(() => decoded(session, command, reply)) : failed(request, error)

/** Sends it anew after each round. Gives what ends the wait of a borrower that leaves. */
const inRounds = <A>(
  session: Session,
  command: Command<A>,
  args: ReadonlyArray<EncodedArg>,
  resume: (effect: Effect.Effect<A, RedisError>) => void
): Effect.Effect<void> => {
  let current: Request
  const begin = () => {
    const begunAt = session.now()
    current = new Request(command.name, args, (request, reply, error) => {
      session.finish(request, error)
      // Somebody may have had the server end the wait: that comes early.
      if (reply === null && error === undefined && session.hasWaited(begunAt)) begin()
      else resume(answered(session, command, request, reply, error))
    })
    session.send(current)
  }
  begin()
  return Effect.sync(() => session.abandon(current))
}

const roundsOf = (
  session: Session,
  name: string,
  args: ReadonlyArray<EncodedArg>
): ReadonlyArray<EncodedArg> | undefined => {
  const { round } = session.options
  // All that may wait for ever begin so.
  if (round === undefined || (name[0] !== "B" && name[0] !== "X") || session.isInOpenTransaction) return undefined
  return Rounds.within(name, args, round)
}

const decoded = <A>(session: Session, command: Command<A>, reply: RawReply): Exit.Exit<A, RedisError> => {
  const value = command.decode(reply)
  return value instanceof Mismatch ? Exit.fail(unexpected(session, command.name, value)) : Exit.succeed(value)
}

/** Runs several commands, sent in one go. Each has its own answer or error. */
export const many = (
  session: Session,
  prepare: () => ReadonlyArray<Command<unknown>>
): Effect.Effect<ReadonlyArray<Result.Result<unknown, RedisError>>> =>
  Effect.suspend(() => {
    const commands = prepare()
    const send = (requests: ReadonlyArray<Request>) => {
      for (const request of requests) session.send(request)
    }
    return Effect.map(
      answers(session, commands, send),
      (outcomes) => commands.map((command, i) => resultOf(session, command, outcomes[i]!))
    )
  })

/** The outcome of one request. */
export interface Outcome {
  readonly reply: RawReply
  readonly error: RedisError | undefined
}

/** Sends requests and waits until each has its answer. */
export const answers = (
  session: Session,
  commands: ReadonlyArray<Pick<Command<unknown>, "name" | "args" | "refusal">>,
  send: (requests: ReadonlyArray<Request>) => void
): Effect.Effect<ReadonlyArray<Outcome>> =>
  Effect.callback((resume) => {
    if (commands.length === 0) return resume(Effect.succeed([]))
    const outcomes: Array<Outcome> = Array(commands.length)
    let missing = commands.length
    const set = (i: number, outcome: Outcome) => {
      outcomes[i] = outcome
      if (--missing === 0) resume(Effect.succeed(outcomes))
    }
    const requests: Array<Request> = []
    for (const [i, command] of commands.entries()) {
      const args = encodeAll(command)
      if (typeof args === "string") {
        set(i, { reply: null, error: refusal(command.name, args) })
        continue
      }
      requests.push(
        new Request(command.name, args, (request, reply, error) => {
          session.finish(request, error)
          if (error instanceof Defect) return resume(Effect.die(error.cause))
          set(i, { reply, error: error === undefined ? undefined : failure(request, error) })
        })
      )
    }
    send(requests)
    return Effect.suspend(() => {
      const blocking = requests.find((request) => request.isBlocking && request.onDone !== undefined)
      return blocking === undefined ? session.leave : Effect.sync(() => session.abandon(blocking))
    })
  })

/** Reads one outcome of several. */
export const resultOf = <A>(
  session: Session,
  command: Command<A>,
  { error, reply }: Outcome
): Result.Result<A, RedisError> => {
  if (error !== undefined) return Result.fail(error)
  const value = command.decode(reply)
  return value instanceof Mismatch ? Result.fail(unexpected(session, command.name, value)) : Result.succeed(value)
}

const failed = (request: Request, error: unknown): Exit.Exit<never, RedisError> =>
  error instanceof Defect ? Exit.die(error.cause) : Exit.fail(failure(request, error))

const failure = (request: Request, error: unknown): RedisError =>
  error instanceof RedisError ? error : Fault.make(request.name.toUpperCase(), request.args, error, request.wasSent)

/** The error of an answer that can't be that of its command, or that its decoder can't read. */
export const unexpected = (
  session: Session,
  command: string,
  { expected, integer, isAnswer }: Mismatch
): RedisError => {
  if (!isAnswer) session.distrust()
  const reason = integer === undefined
    ? new UnexpectedReply({ expected })
    : new IntegerTooLarge({ value: String(integer) })
  return new RedisError({ command, reason })
}

/** The error of the first of these commands that can't be sent. */
export const invalid = (commands: ReadonlyArray<Command<unknown>>): RedisError | undefined => {
  for (const command of commands) {
    const args = encodeAll(command)
    if (typeof args === "string") return refusal(command.name, args)
  }
  return undefined
}

export const refusal = (command: string, rule: string): RedisError =>
  new RedisError({ command, reason: new InvalidCommand({ rule }) })

/** The arguments as they are sent, or the rule that the command breaks. */
const encodeAll = (
  { args, refusal }: Pick<Command<unknown>, "args" | "refusal">
): ReadonlyArray<EncodedArg> | string => {
  if (refusal !== undefined) return refusal
  for (let i = 0; i < args.length; i++) {
    if (typeof args[i] !== "string") return args.some(isMisleading) ? misleading : args.map(encoded)
  }
  return args as ReadonlyArray<string>
}

const misleading =
  "has a number as an argument that is NaN, infinite, or an integer beyond 2^53, which stands for several: "
  + "give a bigint or a text"

const isMisleading = (arg: Arg): boolean =>
  typeof arg === "number" && (!Number.isFinite(arg) || (Number.isInteger(arg) && !Number.isSafeInteger(arg)))

const encoded = (arg: Arg): EncodedArg => {
  switch (typeof arg) {
    case "string":
      return arg
    case "number":
    case "bigint":
      return String(arg)
    default:
      if (Buffer.isBuffer(arg)) return arg
      if (arg instanceof Uint8Array) return Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
      throw new TypeError("an argument of a Redis command must be a text, a number or bytes")
  }
}

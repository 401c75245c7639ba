/**
 * Several commands as one: `MULTI`, the commands, `EXEC`, sent in one go.
 */
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import { type Command, Mismatch, type RawReply } from "../RedisCommand.ts"
import { CommandTimeout, ConnectionLost, RedisError, TransactionAborted } from "../RedisError.ts"
import * as Fault from "./fault.ts"
import { isIdempotent } from "./idempotent.ts"
import * as Send from "./send.ts"
import type { Session } from "./session.ts"

type Results = ReadonlyArray<Result.Result<unknown, RedisError>>

const multi = { name: "MULTI", args: [] }
const exec = { name: "EXEC", args: [] }

export const run = (
  session: Session,
  prepare: () => ReadonlyArray<Command<unknown>>
): Effect.Effect<Results, RedisError> =>
  Effect.suspend(() => {
    const commands = prepare()
    const invalid = Send.invalid(commands)
    if (invalid !== undefined) return Effect.fail(invalid)
    return Effect.flatMap(
      Send.answers(session, [multi, ...commands, exec], (requests) => session.sendTogether(requests)),
      (outcomes) => results(session, commands, outcomes)
    )
  })

const isAccepted = ({ reply }: Send.Outcome, i: number): boolean => String(reply) === (i === 0 ? "OK" : "QUEUED")
const notAccepted = new Mismatch("OK, and QUEUED for each command of the transaction")
const notAnswers = new Mismatch("the answers of the transaction")

const results = (
  session: Session,
  commands: ReadonlyArray<Command<unknown>>,
  outcomes: ReadonlyArray<Send.Outcome>
): Effect.Effect<Results, RedisError> => {
  // One that was not accepted is the reason why none was run: its error says more than that of EXEC.
  const refused = outcomes.find(({ error }) => error !== undefined)?.error
  if (refused !== undefined) return Effect.fail(asWhole(refused, outcomes.at(-1)!.error ?? refused, commands))
  if (!outcomes.slice(0, -1).every(isAccepted)) return Effect.fail(Send.unexpected(session, "MULTI", notAccepted))
  const reply = outcomes.at(-1)!.reply
  if (reply === null) return Effect.fail(new RedisError({ command: "EXEC", reason: new TransactionAborted() }))
  if (!Array.isArray(reply) || reply.length !== commands.length) {
    return Effect.fail(Send.unexpected(session, "EXEC", notAnswers))
  }
  return Effect.succeed(commands.map((command, i) => Send.resultOf(session, command, outcomeOf(command, reply[i]))))
}

/**
 * The error of all of it. Where the answer to EXEC is missing nobody knows whether it was carried out, and it may be sent
 * again as a whole only if each of its commands may.
 */
const asWhole = (first: RedisError, last: RedisError, commands: ReadonlyArray<Command<unknown>>): RedisError => {
  const { reason } = first
  if (reason._tag !== "ConnectionLost" && reason._tag !== "CommandTimeout") return first
  const wasSent = last.reason._tag !== "ConnectionLost" || last.reason.wasSent
  const isRetryable = !wasSent || commands.every(({ args, name }) => isIdempotent(name, args.map(String)))
  return new RedisError({
    command: "EXEC",
    reason: reason._tag === "CommandTimeout"
      ? new CommandTimeout({ timeout: reason.timeout, isRetryable })
      : new ConnectionLost({ wasSent, description: reason.description, isRetryable })
  })
}

const outcomeOf = (command: Command<unknown>, reply: RawReply): Send.Outcome =>
  reply instanceof Error
    ? { reply: null, error: Fault.make(command.name, [], reply, true) }
    : { reply, error: undefined }

/**
 * Errors of the server, of ioredis and of sockets, as `RedisError`.
 *
 * Some answers of the server repeat the command's arguments, so none of these is ever passed on: what is kept is the code
 * and the text without any argument.
 */
import * as SocketError from "@effect-pools/core/SocketError"
import {
  CommandFailed,
  ConnectionLost,
  DialFailed,
  Loading,
  ReadOnly,
  RedisError,
  type RedisErrorReason
} from "../RedisError.ts"
import type { EncodedArg } from "./request.ts"

/** What the server answered, or `undefined` if the error is not the server's. */
export const answerOf = (error: unknown): { readonly code: string; readonly description: string } | undefined => {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined
  const found = /^([A-Z][A-Z0-9_]*)(?: ([^]*))?$/.exec(error.message)
  return found === null
    ? { code: "ERR", description: error.message }
    : { code: found[1]!, description: found[2] ?? "" }
}

/**
 * Whether the server refused one command, and would take others. Servers and proxies have many words for that, so it is
 * told by what it is not: a login that is missing, or a server that takes none at all.
 */
export const isRefusal = (error: unknown): boolean => {
  const answer = answerOf(error)
  return answer !== undefined && isOfOneCommand(answer)
}

export const isOfOneCommand = (
  { code, description }: { readonly code: string; readonly description: string }
): boolean =>
  !closed.has(code) && !(code === "ERR" && /^max number of clients|authenti|not permitted/i.test(description))

const closed: ReadonlySet<string> = new Set(["NOAUTH", "WRONGPASS", "LOADING", "MASTERDOWN", "DENIED"])

const reasonOf = (error: unknown, wasSent: boolean, args: ReadonlyArray<EncodedArg>): RedisErrorReason => {
  const answer = answerOf(error)
  if (answer === undefined) {
    return new ConnectionLost({ wasSent, description: error instanceof Error ? error.message : "it was closed" })
  }
  switch (answer.code) {
    case "READONLY":
      return new ReadOnly()
    case "LOADING":
      return new Loading()
    default:
      return new CommandFailed({ code: answer.code, description: withoutArgs(answer.description, args) })
  }
}

/** The error of a command. */
export const make = (
  command: string,
  args: ReadonlyArray<EncodedArg>,
  error: unknown,
  wasSent: boolean
): RedisError => new RedisError({ command, reason: reasonOf(error, wasSent, args) })

/** Short ones are words like EX and GT, which the description is about. */
const isWord = (arg: string): boolean => arg.length <= 3 || /^[A-Z]+$/.test(arg)

const withoutArgs = (
  description: string,
  args: ReadonlyArray<EncodedArg>,
  isKept: (arg: string) => boolean = isWord
): string => {
  let text = description.replace(/,? ?with args beginning with:[^]*$/, "")
  for (const arg of args) {
    const value = arg.toString()
    if (value !== "" && !isKept(value)) text = text.replaceAll(value, "...")
  }
  return printable(text)
}

/** It may be shown in a terminal, or be a line of a log. */
const printable = (text: string): string => text.slice(0, 200).replaceAll(/\p{Cc}/gu, "?")

/** Answers that only a change of the configuration can mend. */
const permanent: ReadonlySet<string> = new Set(["NOAUTH", "NOPERM", "ERR"])

/** What to do about the answers that a beginner meets. */
const hints: Readonly<Record<string, string>> = {
  NOAUTH: " (option password)",
  WRONGPASS: " (options username and password)"
}

/**
 * The error of a dial. `hasFreshCredentials`: they may be other ones the next time. `args`: of the command that failed,
 * which the server may repeat.
 */
export const ofDial = (
  address: string,
  error: unknown,
  hasFreshCredentials: boolean,
  args: ReadonlyArray<EncodedArg> = []
): RedisError => {
  const answer = answerOf(error)
  const code = answer?.code ?? SocketError.codeOf(error)
  const isRetryable = code === "WRONGPASS" || (code === "ERR" && /AUTH|password/i.test(answer?.description ?? ""))
    ? hasFreshCredentials
    // "ERR max number of clients reached" ends by itself.
    : answer?.description.startsWith("max number of clients") === true ||
      !(SocketError.isPermanent(code) || permanent.has(code ?? ""))
  const text = error instanceof Error ? error.message : "it failed"
  const said = answer === undefined ? text : withoutArgs(text, args, () => false)
  return dialFailed(address, (said === "" ? code ?? "it failed" : said) + (hints[code ?? ""] ?? ""), code, isRetryable)
}

export const dialFailed = (
  address: string,
  description: string,
  code: string | undefined,
  isRetryable: boolean
): RedisError =>
  new RedisError({
    command: "connect",
    reason: new DialFailed({ address, description: printable(description), code, isRetryable })
  })

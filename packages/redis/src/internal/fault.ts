/**
 * Errors of the server, of ioredis and of sockets, as `RedisError`.
 *
 * Some answers of the server repeat the command's arguments, so none of these is ever passed on: what is kept is the code
 * and the text without any argument.
 */
import * as ServerText from "@effect-pools/core/ServerText"
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
import { isIdempotent } from "./idempotent.ts"
import type { EncodedArg } from "./request.ts"

/** The server's answer, or `undefined` if the error is not the server's. */
export const answerOf = (error: unknown): { readonly code: string; readonly description: string } | undefined => {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined
  const found = /^([A-Z][A-Z0-9_]{0,39})(?: ([^]*))?$/.exec(error.message.slice(0, longest))
  return found === null
    ? { code: "ERR", description: error.message.slice(0, longest) }
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

/** Characters of an answer that are looked at. */
const longest = 1000

const reasonOf = (
  command: string,
  error: unknown,
  wasSent: boolean,
  args: ReadonlyArray<EncodedArg>
): RedisErrorReason => {
  const answer = answerOf(error)
  if (answer === undefined) {
    const isRetryable = !wasSent || isIdempotent(command, args)
    return new ConnectionLost({ wasSent, description: ServerText.messageOf(error, "it was closed"), isRetryable })
  }
  switch (answer.code) {
    case "READONLY":
      return new ReadOnly()
    case "LOADING":
      return new Loading()
    default:
      return new CommandFailed({
        code: codeOf(answer.code, args),
        description: withoutArgs(answer.description, args) + (hints[answer.code] ?? "")
      })
  }
}

/** The error of a command. */
export const make = (
  command: string,
  args: ReadonlyArray<EncodedArg>,
  error: unknown,
  wasSent: boolean
): RedisError => new RedisError({ command, reason: reasonOf(command, error, wasSent, args) })

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
  return ServerText.clean(text, 200)
}

/** So many characters of a password in a row are not shown. */
const telling = 5

/** A server may give back a part of a password only, or cut it. */
const withoutParts = (text: string, arg: EncodedArg): string => {
  const secret = arg.toString()
  let shown = ""
  for (let at = 0; at < text.length;) {
    let end = at + telling
    if (end > text.length || !secret.includes(text.slice(at, end))) {
      shown += text[at++]
      continue
    }
    while (end < text.length && secret.includes(text.slice(at, end + 1))) end++
    shown += "..."
    at = end
  }
  return shown
}

/** A server may give back an argument in place of a code. A script of one's own may well have a code in its text. */
const codeOf = (code: string, args: ReadonlyArray<EncodedArg>): string =>
  known.has(code) || !args.some((arg) => arg.toString() === code) ? code : "ERR"

/** Nor may a part of a password pass for one. */
const codeOfDial = (code: string, args: ReadonlyArray<EncodedArg>): string =>
  known.has(code) || !args.some((arg) => arg.toString().includes(code)) ? code : "ERR"

/** Codes that a program may have written as an argument as well. */
const known: ReadonlySet<string> = new Set(
  ("ASK BUSY BUSYGROUP BUSYKEY CLUSTERDOWN CROSSSLOT DENIED ERR EXECABORT INPROG LOADING MASTERDOWN MISCONF MOVED NOAUTH "
    + "NOGOODSLAVE NOGROUP NOMASTERLINK NOPERM NOPROTO NOREPLICAS NOSCRIPT NOTBUSY NOTREADY OOM READONLY TRYAGAIN UNBLOCKED "
    + "UNKILLABLE WRONGPASS WRONGTYPE").split(" ")
)

/** Answers that only a change of the configuration can mend. */
const permanent: ReadonlySet<string> = new Set(["NOAUTH", "NOPERM", "ERR"])

/** Remedies for the answers that a beginner meets. */
const hints: Readonly<Record<string, string>> = {
  CROSSSLOT: " (keys with a hash tag in common, such as {user:1}, are in one)",
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
  const code = answer === undefined ? SocketError.codeOf(error) : codeOfDial(answer.code, args)
  const isRetryable = code === "WRONGPASS" || (code === "ERR" && /AUTH|password/i.test(answer?.description ?? ""))
    ? hasFreshCredentials
    // "ERR max number of clients reached" ends by itself.
    : answer?.description.startsWith("max number of clients") === true ||
      !(SocketError.isPermanent(code) || permanent.has(code ?? ""))
  const text = error instanceof Error ? error.message.slice(0, longest) : "it failed"
  const said = answer === undefined ? text : args.reduce(withoutParts, withoutArgs(text, args, () => false))
  return dialFailed(address, (said === "" ? code ?? "it failed" : said) + (hints[code ?? ""] ?? ""), code, isRetryable)
}

export const dialFailed = (
  address: string,
  description: string,
  code?: string,
  isRetryable: boolean = true
): RedisError =>
  new RedisError({
    command: "connect",
    // Servers tell of other servers, and may call them what they like.
    reason: new DialFailed({
      address: ServerText.clean(address),
      description: ServerText.clean(description, 200),
      code,
      isRetryable
    })
  })

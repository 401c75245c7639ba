/**
 * The settings that a statement changes, as far as its words tell.
 */
import type { Token } from "./sqlText.ts"

/** A call of `set_config`. */
export interface Call {
  /** Which setting, if it says so in so many words. */
  readonly name: string | undefined
  /** Whether it ends with the transaction for certain. */
  readonly isLocal: boolean
  /** Whether it may set the path on which tables are made to something that the text doesn't tell. */
  readonly hidesPath: boolean
}

/** The call whose function is named at `at`. */
export const readCall = (tokens: ReadonlyArray<Token>, at: number): Call => {
  const list = argumentsOf(tokens, at + 1)
  const name = literalOf(list[0])?.toLowerCase()
  return {
    name,
    isLocal: list.length === 3 && isTrue(alone(list[2])),
    hidesPath: name === undefined || (name === "search_path" && literalOf(list[1]) === undefined)
  }
}

type Tokens = ReadonlyArray<Token>

/** A call with more words is not understood, so that many calls inside each other take no time that grows with all. */
const longest = 100

const argumentsOf = (tokens: Tokens, open: number): ReadonlyArray<Tokens> => {
  if (!isMark(tokens[open], "(")) return []
  const list: Array<Array<Token>> = [[]]
  let depth = 1
  const end = Math.min(tokens.length, open + longest)
  for (let at = open + 1; at < end; at++) {
    const token = tokens[at]!
    if (isMark(token, "(") || isMark(token, "[")) depth++
    else if ((isMark(token, ")") || isMark(token, "]")) && --depth === 0) return list
    if (depth === 1 && isMark(token, ",")) list.push([])
    else list.at(-1)!.push(token)
  }
  return []
}

const isMark = (token: Token | undefined, mark: string): boolean => token?.kind === "mark" && token.text === mark

const alone = (tokens: Tokens | undefined): Token | undefined => tokens?.length === 1 ? tokens[0] : undefined

const literalOf = (tokens: Tokens | undefined): string | undefined => {
  const token = alone(tokens)
  return token?.kind === "literal" && token.isExact ? token.text : undefined
}

const yes = new Set(["true", "t", "yes", "y", "on", "1"])

const isTrue = (token: Token | undefined): boolean =>
  token !== undefined &&
  (token.kind === "word"
    ? token.text === "true"
    : token.kind === "literal" && token.isExact && yes.has(token.text.toLowerCase()))

/**
 * Whether a statement may change how literals are read: by a setting such as `TimeZone` or `DateStyle`, whichever way it is
 * set and for however long.
 */
export const changesReading = (tokens: Tokens | undefined): boolean => {
  if (tokens === undefined) return true
  const first = tokens[0]
  if (first?.kind === "word" && first.text === "set") return !isHarmless(nameOf(tokens))
  return tokens.some(({ kind, text }, at) =>
    (kind === "word" || kind === "name") &&
    (text === "pg_settings" || (text === "set_config" && !isHarmless(readCall(tokens, at).name)))
  )
}

/** The setting of a `SET`, with its dots. */
const nameOf = (tokens: Tokens): string => {
  let at = 1
  while (tokens[at]?.kind === "word" && ["local", "session"].includes(tokens[at]!.text)) at++
  let name = tokens[at]?.text ?? ""
  while (isMark(tokens[at + 1], ".") && tokens[at + 2] !== undefined) {
    name += `.${tokens[at + 2]!.text}`
    at += 2
  }
  return name.toLowerCase()
}

/** Whether it has no part in reading a statement, or the server reads prepared ones anew when it changes. */
export const isHarmless = (name: string | undefined): boolean =>
  name !== undefined && (name.includes(".") || harmless.has(name))

const harmless = new Set([
  "application_name",
  "authorization",
  "characteristics",
  "client_min_messages",
  "constraints",
  "default_transaction_deferrable",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "in_hot_standby",
  "is_superuser",
  "lock_timeout",
  "maintenance_work_mem",
  "role",
  "row_security",
  "schema",
  "search_path",
  "session_authorization",
  "statement_timeout",
  "synchronous_commit",
  "transaction",
  "transaction_timeout",
  "work_mem"
])

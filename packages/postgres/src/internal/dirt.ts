/**
 * Dirt: the things that a borrower can leave behind in a session, how they are noticed, and which statements take them
 * away again.
 *
 * It is noticed from two sides: the command tag that the server answers to each statement, and the text of statements
 * whose tag hides what they do (`SELECT set_config(...)`). Both rather see too much than too little: what is noticed in
 * vain costs a round trip, what is missed is handed to the next borrower. A text that can't be understood with certainty
 * is taken for one that leaves everything behind. State that only a function in the server
 * changes can't be noticed; that is what the option `sessionReset: "always"` is for.
 */

import * as Settings from "./settingsCall.ts"
import * as SqlText from "./sqlText.ts"

/** A set of kinds of dirt, as bits. */
export type Dirt = number

export const none: Dirt = 0
/** `SET`, `set_config`, `UPDATE pg_settings`. */
export const settings: Dirt = 1
/** `SET ROLE`, `SET SESSION AUTHORIZATION`: `RESET ALL` leaves them. */
export const identity: Dirt = 2
/** `LISTEN`. */
export const listening: Dirt = 4
/** `DECLARE ... WITH HOLD`. */
export const cursors: Dirt = 8
/** Advisory locks of the session. */
export const locks: Dirt = 16
/** Temporary tables, views and sequences. */
export const temporary: Dirt = 32
/**
 * Prepared statements of the borrower, or those of the driver dropped by it. `DEALLOCATE ALL` would drop the driver's
 * too, and a dropped one fails the first transaction that uses it: only a new connection is clean.
 */
export const preparation: Dirt = 64
/** All that statements can take away. */
export const anything: Dirt = settings | identity | listening | cursors | locks | temporary

/** The dirt that a statement leaves, judged by the tag it was answered with. `text` is known if it ran alone. */
export const ofTag = (tag: string, text: string | undefined): Dirt => {
  switch (tag) {
    case "SET":
      return text === undefined ? settings | identity : ofSet(text)
    case "LISTEN":
      return listening
    case "DECLARE CURSOR":
      return cursors
    case "DO":
    case "CALL":
      return anything
    case "PREPARE":
    case "DEALLOCATE":
    case "DEALLOCATE ALL":
    case "DISCARD ALL":
    case "LOAD":
      return preparation
    default:
      return none
  }
}

// `SET LOCAL` ends with its transaction, and the server says `SET` to it as well.
const ofSet = (text: string): Dirt => {
  const tokens = SqlText.read(text)
  if (tokens === undefined) return settings | identity
  const isLocal = isWord(tokens[1], "local") || isWord(tokens[1], "transaction")
  return isLocal ? none : tokens.some(isIdentity) ? settings | identity : settings
}

type Token = SqlText.Token

const isWord = (token: Token | undefined, word: string): boolean => token?.kind === "word" && token.text === word

const isIdentifier = ({ kind }: Token): boolean => kind === "word" || kind === "name"

const identities = new Set(["role", "authorization", "session_authorization"])

const isIdentity = (token: Token): boolean => isIdentifier(token) && identities.has(token.text.toLowerCase())

/** A text without any of these does nothing that its tag hides. */
const suspicious = /set_config|pg_settings|advisory_lock|temp|u&["']/i

/** The dirt that the text of a statement tells of, where its tag doesn't. A text that can't be understood tells of all. */
export const ofText = (
  text: string,
  read: () => ReadonlyArray<Token> | undefined = () => SqlText.read(text)
): Dirt => {
  if (!suspicious.test(text)) return none
  const tokens = read()
  return tokens === undefined ? anything : ofTokens(tokens)
}

const ofTokens = (tokens: ReadonlyArray<Token>): Dirt => {
  let dirt = none
  for (let i = 0; i < tokens.length; i++) dirt |= ofToken(tokens, i)
  const updatesSettings = tokens.some((token) => isWord(token, "update")) &&
    tokens.some((token) => isIdentifier(token) && token.text === "pg_settings")
  return updatesSettings ? dirt | settings | identity : dirt
}

const ofToken = (tokens: ReadonlyArray<Token>, at: number): Dirt => {
  const { kind, text } = tokens[at]!
  if (kind === "mark") return none
  // As a schema, by whatever way a statement comes to it.
  if (text.includes("pg_temp")) return temporary
  if (kind === "literal") return none
  if (text === "set_config") return ofCall(Settings.readCall(tokens, at))
  if (text.startsWith("pg_advisory_lock") || text.startsWith("pg_try_advisory_lock")) return locks
  return kind === "word" && (text === "temp" || text === "temporary") && isMade(tokens, at) ? temporary : none
}

const ofCall = ({ hidesPath, isLocal }: Settings.Call): Dirt =>
  (isLocal ? none : settings | identity) | (hidesPath ? temporary : none)

const between = new Set(["or", "replace", "local", "global", "recursive"])

/** Whether the word stands where `CREATE TEMP TABLE` and `SELECT ... INTO TEMP` have it. */
const isMade = (tokens: ReadonlyArray<Token>, at: number): boolean => {
  let before = at - 1
  while (before >= 0 && tokens[before]!.kind === "word" && between.has(tokens[before]!.text)) before--
  return isWord(tokens[before], "create") || isWord(tokens[before], "into")
}

const plain = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|TABLE|WITH)\b/i

/** Whether a statement is one that begins no transaction. */
export const isPlain = (text: string): boolean => plain.test(text)

/**
 * The statements that take the dirt away, in order; `undefined` if none can. Without prepared statements of the driver
 * one statement does all of it.
 */
export const cleaning = (dirt: Dirt, hasPreparedStatements: boolean): ReadonlyArray<string> | undefined => {
  if (dirt === none) return []
  if (!hasPreparedStatements) return ["DISCARD ALL"]
  if ((dirt & preparation) !== 0) return undefined
  return steps.filter(([kind]) => (dirt & kind) !== 0).map(([, statement]) => statement)
}

// The identity comes first, since a lesser role may not reset what a greater one has set.
const steps: ReadonlyArray<readonly [Dirt, string]> = [
  [identity, "SET SESSION AUTHORIZATION DEFAULT"],
  [settings, "RESET ALL"],
  [listening, "UNLISTEN *"],
  [cursors, "CLOSE ALL"],
  [locks, "SELECT pg_advisory_unlock_all()"],
  [temporary, "DISCARD TEMP"]
]

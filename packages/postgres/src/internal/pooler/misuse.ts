/**
 * Statements that would leave something in a session, and the forms that do the same for a transaction alone.
 *
 * Behind a PgBouncer that lends a server connection for a transaction, what a session keeps is met by whoever comes next,
 * and missed by whoever left it.
 */
import * as Dirt from "../dirt.ts"
import * as SqlText from "../sqlText.ts"
import * as Verdict from "../verdict.ts"

type Token = SqlText.Token

/** The rule that a statement breaks; `undefined` if it leaves nothing behind that can be seen. */
export const ruleOf = (text: string): string | undefined => {
  const known = rules.get(text)
  if (known !== undefined) return known === "" ? undefined : known
  const rule = judge(text)
  if (text.length <= longest) {
    if (rules.size >= most) rules.clear()
    rules.set(text, rule ?? "")
  }
  return rule
}

/** A program runs the same few texts over and over. */
const rules = new Map<string, string>()
const most = 500
const longest = 2000

const judge = (text: string): string | undefined => {
  const { dirt } = Verdict.of(text)
  if (dirt === Dirt.none && !mayLeave.test(text)) return undefined
  const tokens = SqlText.read(text)
  if (tokens === undefined) {
    return leaves("A statement that can't be read with certainty", "write it without escapes in its quotes")
  }
  return ofCommand(tokens) ?? ofDirt(dirt)
}

const mayLeave = /^\s*(?:set|reset|discard|listen|unlisten|prepare|execute|deallocate|load|declare|--|\/\*|;)/i

const leaves = (what: string, instead: string): string =>
  `${what} would stay in a session that others use next, since pooler.mode is "transaction": ${instead}`

const elsewhere = "use a pool that leads to the server itself"

const ofCommand = (tokens: ReadonlyArray<Token>): string | undefined => {
  const word = (at: number): string => tokens[at]?.kind === "word" ? tokens[at].text : ""
  switch (word(0)) {
    case "set":
      return ["local", "transaction", "constraints"].includes(word(1))
        ? undefined
        : leaves("SET", "use SET LOCAL, or set_config(name, value, true), in a transaction")
    case "reset":
    case "discard":
      return leaves(word(0).toUpperCase(), "there is nothing of yours to reset after the end of a transaction")
    case "listen":
    case "unlisten":
      return leaves(word(0).toUpperCase(), elsewhere)
    case "prepare":
      return word(1) === "transaction" ? undefined : leaves("PREPARE", "the driver prepares by itself where it can")
    case "execute":
    case "deallocate":
      return leaves(word(0).toUpperCase(), "the driver prepares by itself where it can")
    case "load":
      return leaves("LOAD", "let session_preload_libraries load it")
    case "declare":
      return tokens.some((token, at) => token.text === "with" && tokens[at + 1]?.text === "hold")
        ? leaves("DECLARE ... WITH HOLD", "leave WITH HOLD out, and fetch in the transaction, or use stream")
        : undefined
    default:
      return undefined
  }
}

const ofDirt = (dirt: Dirt.Dirt): string | undefined => {
  if ((dirt & Dirt.locks) !== 0) {
    return leaves("pg_advisory_lock", "use pg_advisory_xact_lock in a transaction")
  }
  if ((dirt & (Dirt.settings | Dirt.identity)) !== 0) {
    return leaves("set_config", "use set_config(name, value, true) in a transaction")
  }
  if ((dirt & Dirt.temporary) !== 0) {
    return leaves("A temporary table", "use an ordinary one (UNLOGGED), or WITH, or arrays")
  }
  return undefined
}

/**
 * The verdict on a statement by its text.
 *
 * It takes several regular expressions to find out, and a program runs the same few texts over and over: so each text is
 * judged once, and the verdict is kept.
 */
import { ByText } from "./byText.ts"
import * as Dirt from "./dirt.ts"
import * as Settings from "./settingsCall.ts"
import * as SqlText from "./sqlText.ts"

/** The first word, as far as it is worth a series of its own in the metrics. */
export type Kind = typeof kinds[number]

const kinds = ["select", "insert", "update", "delete", "other"] as const

export interface Verdict {
  /** The traces that it leaves, where its command tag doesn't tell. */
  readonly dirt: Dirt.Dirt
  /** Whether it may run beside those of others. */
  readonly isShareable: boolean
  readonly kind: Kind
  /**
   * Whether it may change how the literals of later statements are read. The server reads those of a prepared statement
   * once, by the settings of that moment.
   */
  readonly changesReading: boolean
  /** Whether it may change data, so that doing it twice is not doing it once. */
  readonly mayWrite: boolean
  /** Whether it begins or ends a transaction. */
  readonly control: "begins" | "ends" | undefined
  /** Whether it opens a transaction, or a savepoint of the SQL client's own. */
  readonly opensLevel: boolean
  /** Whether it undoes a transaction, or ends a savepoint. */
  readonly endsLevel: boolean
  /** Whether it is one by which the SQL client opens or ends either, which makes sure before that it is its turn. */
  readonly isOfClient: boolean
  /** Whether it ends a transaction with what it did. */
  readonly isCommit: boolean
  /** Whether a literal such as `'now'` stands for the moment at which it is read, so that it can't be prepared. */
  readonly isOfTheMoment: boolean
}

export const judge = (text: string): Verdict => {
  // Read once, and only if something asks for it.
  let known: { readonly tokens: ReadonlyArray<SqlText.Token> | undefined } | undefined
  const tokens = () => (known ??= { tokens: SqlText.read(text) }).tokens
  const dirt = Dirt.ofText(text, tokens)
  const control = mayControl.test(text) ? controlOf(tokens()) : undefined
  return {
    dirt,
    isShareable: dirt === Dirt.none && Dirt.isPlain(text),
    kind: kindOf(text),
    mayWrite: !reads.test(text) || (mayHideWrite.test(text) && hidesWrite(tokens())),
    control,
    opensLevel: opensLevel.test(text),
    endsLevel: text.startsWith("ROLLBACK") || text.startsWith("RELEASE SAVEPOINT"),
    isOfClient: ofClient.test(text),
    isCommit: control === "ends" && commits.has(tokens()?.[0]?.text ?? ""),
    changesReading: setsSomething.test(text) && Settings.changesReading(tokens()),
    isOfTheMoment: mayBeOfTheMoment.test(text) && isOfTheMoment(tokens())
  }
}

const opensLevel = /^(?:BEGIN\b|SAVEPOINT effect_sql_)/
const ofClient = /^(?:BEGIN\b|COMMIT$|ROLLBACK$|ROLLBACK TO SAVEPOINT effect_sql_|(?:RELEASE )?SAVEPOINT effect_sql_)/

const reads =
  /^\s*(?:SELECT|VALUES|TABLE|WITH|SHOW|SET|RESET|BEGIN|START|SAVEPOINT|RELEASE|ROLLBACK|ABORT|LISTEN|UNLISTEN|FETCH|CLOSE)\b|^\s*$/i
const commits = new Set(["commit", "end", "prepare"])
// A comment or an empty statement may come first.
const mayControl = /^\s*(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|PREPARE|--|\/\*|;)/i
const mayHideWrite = /\b(?:INTO|INSERT|UPDATE|DELETE|MERGE)\b/i
const writing = new Set(["into", "insert", "update", "delete", "merge"])

/** A text that can't be read is taken for one that ends a transaction: nothing is then believed of what follows. */
const controlOf = (tokens: ReadonlyArray<SqlText.Token> | undefined): Verdict["control"] => {
  if (tokens === undefined) return "ends"
  const [first, second] = tokens
  if (first?.kind !== "word") return undefined
  switch (first.text) {
    case "begin":
    case "start":
      return "begins"
    case "commit":
    case "end":
    case "abort":
      return "ends"
    case "rollback":
      // To a savepoint, which leaves what was set before it.
      return tokens.some(({ kind, text }) => kind === "word" && text === "to") ? undefined : "ends"
    case "prepare":
      return second?.text === "transaction" ? "ends" : undefined
    default:
      return undefined
  }
}

// `FOR UPDATE` and `FOR NO KEY UPDATE` only lock.
const hidesWrite = (tokens: ReadonlyArray<SqlText.Token> | undefined): boolean =>
  tokens === undefined ||
  tokens.some(({ kind, text }, at) =>
    kind === "word" && writing.has(text) && !(text === "update" && ["for", "key"].includes(tokens[at - 1]?.text ?? ""))
  )

const setsSomething = /^\s*(?:set\b|--|\/\*|;)|set_config|pg_settings|u&["']/i
const mayBeOfTheMoment = /\b(?:now|today|tomorrow|yesterday)\b|\be'|u&'/i
const moment = /\b(?:now|today|tomorrow|yesterday)\b/i

const isOfTheMoment = (tokens: ReadonlyArray<SqlText.Token> | undefined): boolean =>
  tokens === undefined ||
  tokens.some(({ isExact, kind, text }) => kind === "literal" && (!isExact || moment.test(text)))

const kindOf = (text: string): Kind => {
  const word = /^\s*(select|insert|update|delete)\b/i.exec(text)?.[1]
  return word === undefined ? "other" : word.toLowerCase() as Kind
}

/** Keeps the verdicts. */
export class Verdicts extends ByText<Verdict> {
  constructor(most: number, longest: number) {
    super(judge, most, longest)
  }
}

// At most 2 MB, and that only if all are as long as may be.
const verdicts = new Verdicts(500, 2000)

export const of = (text: string): Verdict => verdicts.of(text)

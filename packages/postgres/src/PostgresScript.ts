/**
 * Answers statements without a server, for tests: the service class stays, `layerTest` takes the place of `layer`.
 *
 * ```ts
 * import { PostgresPool, PostgresScript } from "@effect-pools/postgres"
 * import { Effect } from "effect"
 *
 * class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {}
 *
 * const script = PostgresScript.make((statement) => statement.startsWith("SELECT") ? [{ id: 1 }] : [])
 *
 * const test = PrimaryDb.query`SELECT id FROM users`.pipe(Effect.provide(PrimaryDb.layerTest(script)))
 * // script.statements: [{ connection: 1, text: "SELECT id FROM users", params: [] }]
 * ```
 *
 * The pool is a real one: leases, limits and misuse are as they are with a server. Transactions work as on a server too:
 * `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints are recorded and answered by themselves, and after a failure a
 * transaction refuses statements until it is rolled back.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as SqlError from "effect/sql/SqlError"
import { inspect, isDeepStrictEqual } from "node:util"

/**
 * The answer to a statement: rows, or an error. An effect may wait first.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer =
  | ReadonlyArray<object>
  | SqlError.SqlError
  | Effect.Effect<ReadonlyArray<object>, SqlError.SqlError>

/**
 * One statement to come, and its answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Expectation {
  /** The whole text, or a pattern of it, wherever it is found in the text. */
  readonly statement: string | RegExp
  /** Compared one by one by what they hold, if given: equal dates, lists, objects and bytes match. */
  readonly params?: ReadonlyArray<unknown> | undefined
  readonly answer: Answer
}

/**
 * A function that answers every statement, or the statements that will come, in order.
 *
 * A statement that the function answers with `undefined`, or that is not the next of the list, is a defect that tells what
 * was expected and what came, parameters included.
 *
 * @category models
 * @since 0.1.0
 */
export type ScriptInput =
  | ((statement: string, params: ReadonlyArray<unknown>) => Answer | undefined)
  | ReadonlyArray<Expectation>

/**
 * One statement that was run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorded {
  /** Counts connections from 1, in the order in which they were opened. */
  readonly connection: number
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

/**
 * A script, and the record of what was run against it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /** Every statement so far, transaction control included. */
  readonly statements: ReadonlyArray<Recorded>
  /** How many expectations of a list have not been met yet; 0 for a function. */
  readonly remaining: () => number
  /** Adds a statement to the record. */
  readonly record: (statement: Recorded) => void
  /** Answers a statement. Throws if there is no answer. */
  readonly answer: (statement: Recorded) => Answer
}

/**
 * Makes a script.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: ScriptInput): Script => {
  const statements: Array<Recorded> = []
  const expected = typeof input === "function" ? [] : Array.from(input)
  return {
    statements,
    remaining: () => expected.length,
    record: (statement) => {
      statements.push(statement)
    },
    answer: ({ params, text }) => {
      if (typeof input !== "function") return next(expected, text, params)
      const answer = input(text, params)
      if (answer === undefined) throw new Error(`the script has no answer for ${told(text, params)}`)
      return answer
    }
  }
}

const next = (expected: Array<Expectation>, text: string, params: ReadonlyArray<unknown>): Answer => {
  const first = expected[0]
  const mismatch = first === undefined ? undefined : mismatchOf(first, text, params)
  if (first !== undefined && mismatch === undefined) {
    expected.shift()
    return first.answer
  }
  const wanted = first === undefined ? "no more statements" : told(first.statement, first.params)
  throw new Error(
    `the script expects ${wanted}, and got ${told(text, params)}${mismatch === undefined ? "" : `: ${mismatch}`}`
  )
}

/** In which the statement is not the one expected, or `undefined` if it is. */
const mismatchOf = (
  { params: wanted, statement }: Expectation,
  text: string,
  params: ReadonlyArray<unknown>
): string | undefined => {
  // Unlike `test`, `search` begins at the start of the text, whatever the pattern found before.
  const isText = typeof statement === "string" ? statement === text : text.search(statement) >= 0
  if (!isText) return "the statement is another"
  if (wanted === undefined) return undefined
  if (wanted.length !== params.length) return `it has ${params.length} parameters, not ${wanted.length}`
  const index = wanted.findIndex((value, index) => !isSame(value, params[index]))
  return index < 0 ? undefined : `parameter ${index + 1} differs`
}

/** By what is in them. Bytes are bytes, whatever the class of the view. */
const isSame = (a: unknown, b: unknown): boolean =>
  ArrayBuffer.isView(a) && ArrayBuffer.isView(b)
    ? isDeepStrictEqual(bytesOf(a), bytesOf(b))
    : Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((value, index) => isSame(value, b[index]))
    : isDeepStrictEqual(a, b)

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

const told = (statement: string | RegExp, params: ReadonlyArray<unknown> | undefined): string => {
  const text = typeof statement === "string" ? statement.slice(0, 300) : `a statement like ${statement}`
  return params === undefined || (params.length === 0 && typeof statement === "string")
    ? text
    : `${text} with ${inspect(params, { breakLength: Infinity, depth: 3, maxArrayLength: 20, maxStringLength: 100 })}`
}

/**
 * The error that the driver makes of a server's SQLSTATE: `failure("23505", "users_email_key")`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (code: string, constraint?: string): SqlError.SqlError => {
  const message = `scripted failure ${code}`
  const cause = Object.assign(new Error(message), { code, constraint, severityUnlocalized: "ERROR" })
  const props = { cause, message, operation: "query" }
  return new SqlError.SqlError({
    reason: code === "23505"
      ? new SqlError.UniqueViolation({ ...props, constraint: constraint ?? "unknown" })
      : new (reasons.find(([start]) => code.startsWith(start))?.[1] ?? SqlError.UnknownError)(props)
  })
}

const reasons = [
  ["08", SqlError.ConnectionError],
  ["28", SqlError.AuthenticationError],
  ["42501", SqlError.AuthorizationError],
  ["42", SqlError.SqlSyntaxError],
  ["23", SqlError.ConstraintError],
  ["40P01", SqlError.DeadlockError],
  ["40001", SqlError.SerializationError],
  ["55P03", SqlError.LockTimeoutError],
  ["57014", SqlError.StatementTimeoutError]
] as const

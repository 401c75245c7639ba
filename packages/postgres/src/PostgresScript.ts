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

/**
 * What a statement is answered with: rows, or an error. An effect may wait first.
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
  /** The whole text, or a pattern of it. */
  readonly statement: string | RegExp
  /** Compared one by one, if given. */
  readonly params?: ReadonlyArray<unknown> | undefined
  readonly answer: Answer
}

/**
 * A function that answers every statement, or the statements that will come, in order.
 *
 * A statement that the function answers with `undefined`, or that is not the next of the list, is a defect.
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
      const answer = typeof input === "function" ? input(text, params) : next(expected, text, params)
      if (answer === undefined) throw new Error(`the script has no answer for: ${text}`)
      return answer
    }
  }
}

const next = (expected: Array<Expectation>, text: string, params: ReadonlyArray<unknown>): Answer | undefined => {
  const first = expected[0]
  if (first === undefined || !matches(first, text, params)) return undefined
  expected.shift()
  return first.answer
}

const matches = (expectation: Expectation, text: string, params: ReadonlyArray<unknown>): boolean => {
  const { params: wanted, statement } = expectation
  const isText = typeof statement === "string" ? statement === text : statement.test(text)
  return isText &&
    (wanted === undefined || (wanted.length === params.length && wanted.every((p, i) => p === params[i])))
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

/**
 * The connection was lost after a statement was sent and before its answer came, so that nobody knows whether it was
 * carried out.
 *
 * It is for what would be carried out twice if it were repeated: a `COMMIT`, and a single statement outside of a
 * transaction that may write. It comes as the cause of a `SqlError` whose `isRetryable` is `false`. A statement that only
 * reads, or that belongs to a transaction that was still open, is lost with nothing done, and is told as a
 * `ConnectionError`, which may be tried again.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { isSqlError } from "effect/sql/SqlError"

/**
 * A statement that was sent may have been carried out, or not. Look at the tables, or make the statement one that may
 * be repeated, such as an `INSERT ... ON CONFLICT DO NOTHING`, before it is sent again.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutcomeUnknown extends Data.TaggedError("OutcomeUnknown")<{
  /** `"commit"` if a whole transaction is in question. */
  readonly of: "commit" | "statement"
  readonly message: string
  /** Always `false`. */
  readonly isRetryable: boolean
  /** The SQLSTATE with which the server ended the session, if it told. */
  readonly code: string | undefined
  readonly cause: unknown
}> {}

/**
 * The `OutcomeUnknown` that an error stands for, if it does.
 *
 * @category guards
 * @since 0.1.0
 */
export const find = (error: unknown): OutcomeUnknown | undefined => {
  if (error instanceof OutcomeUnknown) return error
  return isSqlError(error) && error.reason.cause instanceof OutcomeUnknown ? error.reason.cause : undefined
}

/**
 * Whether an error says that something may have been carried out, or not.
 *
 * @category guards
 * @since 0.1.0
 */
export const is = (error: unknown): boolean => find(error) !== undefined

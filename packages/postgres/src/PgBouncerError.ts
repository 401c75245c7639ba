/**
 * An error of the console of PgBouncer.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * A command was not carried out.
 *
 * @category errors
 * @since 0.1.0
 */
export class PgBouncerError extends Data.TaggedError("PgBouncerError")<{
  readonly command: string
  readonly message: string
  /** Whether PgBouncer itself refused it, or the login. If not, nobody knows whether it was carried out. */
  readonly isAnswer: boolean
}> {}

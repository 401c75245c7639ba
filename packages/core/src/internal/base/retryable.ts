/**
 * Whether what a dial failed with may be over when it is made again.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** A connector marks what no further attempt can mend, such as a wrong password, by `isRetryable: false`. */
export const isRetryable = (cause: unknown): boolean =>
  // Whatever is thrown when an error is read, the dial that failed with it has failed and no more.
  Result.getOrElse(
    Result.try(() => !(Predicate.hasProperty(cause, "isRetryable") && cause.isRetryable === false)),
    () => true
  )

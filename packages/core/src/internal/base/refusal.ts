/**
 * Why a server turned a dial away, where the connector can tell.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** `"credentials"`: it does not accept who we are. `"capacity"`: it has no room for one more connection. */
export type Refusal = "credentials" | "capacity"

export const refusalOf = (cause: unknown): Refusal | undefined =>
  // Whatever is thrown when an error is read, the dial that failed with it has failed and no more.
  Result.getOrElse(
    Result.try(() => {
      const refusal = Predicate.hasProperty(cause, "refusal") ? cause.refusal : undefined
      return refusal === "credentials" || refusal === "capacity" ? refusal : undefined
    }),
    () => undefined
  )

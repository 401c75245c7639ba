/**
 * Checks options against a table of rules. What is refused is told in the name of who has the options.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import { type InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

/** Fails with the first option that is unknown or is not what it must be. */
export const check = <Options extends object>(
  owner: string,
  rules: OptionRules.Rules<Options>,
  options: Options
): Effect.Effect<void, PoolError> => owned(owner, OptionRules.check(rules, options))

export const refuse = (owner: string, option: string, rule: string): Effect.Effect<never, PoolError> =>
  owned(owner, OptionRules.refuse(option, rule))

const owned = <A>(pool: string, checked: Result.Result<A, InvalidOption>): Effect.Effect<A, PoolError> =>
  Effect.fromResult(Result.mapError(checked, (reason) => new PoolError({ pool, reason })))

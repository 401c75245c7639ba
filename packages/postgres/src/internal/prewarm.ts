/**
 * Statements that run on a new connection before its first lease, so that the first caller does not wait for cold caches.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Duration from "effect/Duration"
import type { Session } from "./session.ts"

/**
 * The option `prewarm`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PrewarmOptions {
  /** Statements without parameters, in order. */
  readonly run: ReadonlyArray<string>
  /** How long all of them may take. Default 2 s. Too short: they are cut off. Too long: a new connection comes late. */
  readonly timeout?: Duration.Input | undefined
}

export const prewarmTable: OptionRules.OwnTable<PrewarmOptions, { readonly timeout: number }> = {
  run: OptionRules.option({
    expects: "a list of texts",
    is: (value) => Array.isArray(value) && value.every(OptionRules.text.is)
  }, { does: "Statements without parameters, in order." }),
  timeout: OptionRules.option(OptionRules.duration(1), {
    does: "How long all of them may take.",
    default: 2_000,
    tooSmall: "they are cut off.",
    tooLarge: "a new connection comes late."
  })
}

/** Whatever becomes of it, the connection is as good as one that nobody has warmed. */
export const run = (session: Session, options: PrewarmOptions | undefined): Effect.Effect<void> => {
  if (options === undefined || options.run.length === 0) return Effect.void
  const { run: statements, timeout = prewarmTable.timeout.default } = options
  const all = Effect.forEach(statements, (text) => session.own.query(text, [], false), { discard: true })
  return Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(Effect.exit(all))
    const done = yield* Effect.timeoutOption(Fiber.join(fiber), timeout)
    if (done._tag === "None") {
      yield* Effect.logWarning("a new connection was not warmed within prewarm.timeout")
      // The driver stops what runs, and whoever is next waits for that.
      yield* Effect.forkDetach(Fiber.interrupt(fiber))
    } else if (done.value._tag === "Failure") {
      yield* Effect.logWarning(`a new connection was not warmed: ${String(done.value.cause)}`)
    }
    // Borrowers get nothing that it left behind.
    yield* Effect.ignore(Effect.suspend(() => session.reset() ?? Effect.void))
  })
}

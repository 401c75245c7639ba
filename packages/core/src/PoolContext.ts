/**
 * The context that a pool's own work runs in: for authors of backend packages.
 *
 * A pool is often made inside something short: a pool of a tenant by the first request that needs it, or a layer in a
 * test's span. Its dials, checks and log lines go on for as long as the pool lives and belong to no request, so they have
 * neither its span nor its annotations, and no transaction that was open.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as ProcessHold from "./internal/base/processHold.ts"

const ofTheCaller: ReadonlySet<string> = new Set([
  Tracer.ParentSpan.key,
  References.CurrentLogAnnotations.key,
  References.CurrentLogSpans.key,
  References.CurrentStackFrame.key
])

/** Keys by which a fiber finds the connection that it holds, or of the transaction it is in. */
const borrowed = new RegExp(
  "^effect/sql/SqlClient/(TransactionConnection/|BeginTransaction)|" +
    "^@effect-pools/[^/]+/(Transaction|TransactionSource|Held|Level)(/|$)"
)

/**
 * Whether the process may end while a pool is idle, by its option `unref`. A dial that finds it true calls `unref` of each
 * socket that it opens: the pool itself keeps the process alive while anybody waits for a connection or has one.
 *
 * @category references
 * @since 0.1.0
 */
export const Unref: Context.Reference<boolean> = Context.Reference<boolean>("@effect-pools/core/Unref", {
  defaultValue: () => false
})

/**
 * A context without what belongs to whoever is being served: parent span, annotations and spans of the log, and the
 * connection it holds. Keys of a backend for that end with `Transaction`, `TransactionSource`, `Held` or `Level`, with or
 * without a number after it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const own = <R>(context: Context.Context<R>): Context.Context<R> => {
  const kept = Array.from(context.mapUnsafe).filter(([key]) => !ofTheCaller.has(key) && !borrowed.test(key))
  return Context.makeUnsafe(new Map(kept))
}

/**
 * Runs what makes a pool in the pool's own context.
 *
 * @category combinators
 * @since 0.1.0
 */
export const provideOwn = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, (context: Context.Context<R>) => own(context))

/**
 * A context for the work of a pool with the option `unref`: its sleeps keep no process alive, and `Unref` is true. The pool
 * itself runs its dials in it; it is for what a backend runs beside them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const unrefed = <R>(context: Context.Context<R>): Context.Context<R> =>
  context.pipe(
    Context.add(Clock.Clock, ProcessHold.unrefed(Context.get(context, Clock.Clock))),
    Context.add(Unref, true)
  ) as Context.Context<R>

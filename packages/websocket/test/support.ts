import type { PoolError } from "@effect-pools/core"
import { type WebSocketConfig, WebSocketPool, type WebSocketScript } from "@effect-pools/websocket"
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, References, Schedule, Schema, Scope, Stream } from "effect"
import type { Socket } from "effect/socket"
import { TestClock } from "effect/testing"

export { eventually } from "@effect-pools/testing/Eventually"

/** The pool of most tests: messages are texts. */
export class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}

export const Note = Schema.Struct({ id: Schema.optionalKey(Schema.String), text: Schema.String })
export type Note = typeof Note.Type

/** A pool with messages of a type of its own. */
export class Notes extends WebSocketPool.Service<Notes, Note>()("app/Notes") {}

export const noteOptions = {
  schema: Schema.fromJsonString(Note),
  correlation: {
    withId: (note: Note, id: string): Note => ({ ...note, id }),
    idOf: (note: Note): string | undefined => note.id
  }
}

/** For pools of texts: the id is what stands before the bar. */
export const barred: WebSocketConfig.Correlation<WebSocketConfig.RawMessage> = {
  withId: (message, id) => `${id}|${String(message)}`,
  idOf: (message) => /^(\d+)\|/.exec(String(message))?.[1]
}

export const bodyOf = (message: WebSocketConfig.RawMessage): string => String(message).replace(/^\d+\|/, "")

export type Services = Chat | Socket.Socket

/** The warnings that tests provoke on purpose are not logged. */
export const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

/** Runs a test with a pool of its own, and checks that nothing is left of it afterwards. */
export const withChat = <A, E, R>(
  options: WebSocketConfig.WebSocketOptions,
  test: Effect.Effect<A, E, R | Services>
): Effect.Effect<A, E | PoolError.PoolError, Exclude<R, Services>> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const layer = Chat.layer({ drainTimeout: "1 second", closeTimeout: "1 second", ...options })
    const context = yield* Layer.buildWithScope(layer, scope)
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Chat).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }).pipe(quietly) as Effect.Effect<A, E | PoolError.PoolError, Exclude<R, Services>>

/** Runs a test against a script, and checks that nothing is open afterwards. */
export const withScript = <A, E>(
  script: WebSocketScript.Script | WebSocketScript.Answer,
  test: Effect.Effect<A, E, Chat | Socket.Socket>,
  options: Partial<WebSocketConfig.WebSocketOptions> = {}
): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Chat.layerTest(script, options), scope)
    const exit = yield* Effect.exit(Effect.provideContext(test, context))
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(closing)
    const { counts } = yield* Context.get(context, Chat).stats
    if (Exit.isSuccess(exit)) assert.strictEqual(counts.opened - counts.closed, 0, "opened - closed")
    return yield* exit
  }).pipe(quietly)

/** A dial and its hand-over take some turns of the scheduler, and no time. */
export const settled = Effect.repeat(TestClock.adjust(0), { times: 20 })

/** Runs a stream in the background and gives what it has seen so far. */
export const watch = <A, R>(stream: Stream.Stream<A, unknown, R>) =>
  Effect.gen(function*() {
    const seen: Array<A> = []
    const fiber = yield* Effect.forkChild(Stream.runForEach(stream, (item) => Effect.sync(() => void seen.push(item))))
    yield* settled
    return { fiber, seen }
  })

/** The reason of an error that a test expects. */
export const reasonOf = <A, E extends { readonly reason: unknown }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<E["reason"], A, R> => Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Retries without much delay, for tests in real time. */
export const quickRetry = Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 50 }))

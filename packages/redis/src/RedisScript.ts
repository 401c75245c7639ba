/**
 * Answers commands without a server, for tests: the service class stays, `layerTest` takes the place of `layer`.
 *
 * ```ts
 * import { RedisPool, RedisScript } from "@effect-pools/redis"
 * import { Effect } from "effect"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
 *
 * const script = RedisScript.make((command, [key]) => command === "GET" && key === "user:1" ? "Ada" : null)
 *
 * const test = Cache.get("user:1").pipe(Effect.provide(Cache.layerTest(script)))
 * // script.commands: [{ connection: 1, command: "GET", args: ["user:1"] }]
 * ```
 *
 * The pool is a real one: leases, limits and misuse are as they are with a server. `PING`, `MULTI`, `EXEC`, `DISCARD`,
 * `WATCH`, `UNWATCH` and `SELECT` are answered by themselves: between `MULTI` and `EXEC` commands wait for `EXEC`.
 *
 * A whole database in memory, such as that of `ioredis-mock`, answers by an effect:
 *
 * ```ts
 * import { RedisScript } from "@effect-pools/redis"
 * import { Effect } from "effect"
 *
 * declare const mock: { readonly call: (command: string, ...args: ReadonlyArray<string | Buffer>) => Promise<RedisScript.Answered> }
 *
 * const script = RedisScript.make((command, args) =>
 *   Effect.tryPromise({
 *     try: () => mock.call(command, ...args),
 *     catch: (error) => RedisScript.failure("ERR", error instanceof Error ? error.message : "it failed")
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * What a server answers: a text or bytes, an integer, nothing, or a list of these.
 *
 * @category models
 * @since 0.1.0
 */
export type Answered = string | number | Uint8Array | null | Failure | ReadonlyArray<Answered>

/**
 * What a command is answered with. An effect may wait first.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = Answered | Effect.Effect<Answered, Failure>

/**
 * One argument as the server would get it.
 *
 * @category models
 * @since 0.1.0
 */
export type SentArg = string | Buffer

/**
 * Answers every command; with `undefined` it says that it has no answer, which is a defect of the test.
 *
 * @category models
 * @since 0.1.0
 */
export type ScriptInput = (command: string, args: ReadonlyArray<SentArg>) => Answer | undefined

/**
 * One command that was run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorded {
  /** Counts connections from 1, in the order in which they were opened. */
  readonly connection: number
  readonly command: string
  readonly args: ReadonlyArray<SentArg>
}

/**
 * A script, and the record of what was run against it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /** Every command so far, those that are answered by themselves included, but for the pool's own `PING`. */
  readonly commands: ReadonlyArray<Recorded>
  /** Adds a command to the record. */
  readonly record: (command: Recorded) => void
  /** Answers a command. */
  readonly answer: ScriptInput
}

/**
 * An error that the server answers.
 *
 * @category models
 * @since 0.1.0
 */
export class Failure extends Error {
  // The name by which errors of the server are known.
  override readonly name = "ReplyError"
}

/**
 * Makes a script.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (answer: ScriptInput): Script => {
  const commands: Array<Recorded> = []
  return {
    commands,
    record: (command) => {
      commands.push(command)
    },
    answer
  }
}

/**
 * Makes an error that the server answers: `failure("WRONGTYPE", "Operation against ...")`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (code: string, description: string): Failure => new Failure(`${code} ${description}`)

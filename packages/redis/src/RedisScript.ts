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
 * A whole database in memory, such as that of `ioredis-mock`, answers with `fromClient`:
 *
 * ```ts
 * import { RedisPool, RedisScript } from "@effect-pools/redis"
 *
 * class Cache extends RedisPool.Service<Cache>()("app/Cache") {}
 *
 * declare const mock: object // new RedisMock()
 *
 * const inMemory = Cache.layerTest(RedisScript.fromClient(mock))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * The answer of a server: a text or bytes, an integer, nothing, or a list of these.
 *
 * @category models
 * @since 0.1.0
 */
export type Answered = string | number | Uint8Array | null | Failure | ReadonlyArray<Answered>

/**
 * The answer to a command. An effect may wait first.
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
 * Makes a script of a client that has a method for each command, as `ioredis-mock` has. A command without a method is a
 * defect of the test.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromClient = (client: object): Script =>
  make((command, args) => {
    const name = command.toLowerCase()
    // Its other methods make texts of what need not be one.
    const method = methodOf(client, `${name}Buffer`) ?? methodOf(client, name)
    return method === undefined ?
      undefined :
      Effect.mapBoth(Effect.tryPromise(() => Promise.resolve(method(...args))), {
        onSuccess: answered,
        onFailure: ({ cause }) => failed(cause instanceof Error ? cause.message : "it failed")
      })
  })

const methodOf = (client: object, name: string): ((...args: ReadonlyArray<SentArg>) => unknown) | undefined => {
  const method: unknown = Reflect.get(client, name)
  return typeof method === "function" ? method.bind(client) : undefined
}

/** Clients make objects of names and values. */
const answered = (value: unknown): Answered => {
  if (value === undefined || value === null) return null
  if (Array.isArray(value)) return value.map(answered)
  if (value instanceof Uint8Array || value instanceof Failure) return value
  if (value instanceof Error) return failed(value.message)
  if (typeof value === "object") return Object.entries(value).flat().map(answered)
  return typeof value === "number" ? value : String(value)
}

const failed = (message: string): Failure => new Failure(/^[A-Z]+ /.test(message) ? message : `ERR ${message}`)

/**
 * Makes an error that the server answers: `failure("WRONGTYPE", "Operation against ...")`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (code: string, description: string): Failure => new Failure(`${code} ${description}`)

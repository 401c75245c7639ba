/**
 * A connection of a Redis pool as its borrower sees it.
 */
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type { Arg, Command, Decoder, Reply } from "../RedisCommand.ts"
import type { Commands, Methods } from "../RedisCommands.ts"
import type { RedisError } from "../RedisError.ts"

/**
 * The results of several commands, each by itself: one that failed leaves the others as they are.
 *
 * @category models
 * @since 0.1.0
 */
export type Results<C extends ReadonlyArray<Command<unknown>>> = {
  readonly [I in keyof C]: C[I] extends Command<infer A> ? Result.Result<A, RedisError> : never
}

/**
 * Several commands: a list, or a function that makes it of the typed ones.
 *
 * @category models
 * @since 0.1.0
 */
export type CommandList<C extends ReadonlyArray<Command<unknown>>> = C | ((redis: Commands) => C)

/**
 * The keys and arguments of a script: `KEYS` and `ARGV` in Lua.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptArgs {
  readonly keys?: ReadonlyArray<Arg> | undefined
  readonly args?: ReadonlyArray<Arg> | undefined
}

/**
 * Options of a step through keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScanOptions {
  /** A glob-style pattern. */
  readonly match?: string | undefined
  /** How much the server looks at in one step. Default: the server's, 10. It does not limit the result. */
  readonly count?: number | undefined
  /** Only keys of this type: `"hash"`. For `scan` alone. */
  readonly type?: string | undefined
}

/**
 * Ways to run commands together.
 *
 * @category models
 * @since 0.1.0
 */
export interface Runner<out E, out R = never> {
  /** Runs a command that is a value. */
  readonly run: <A>(command: Command<A>) => Effect.Effect<A, RedisError | E, R>
  /** Sends several commands in one go, and gives the result of each. It is no transaction. */
  readonly pipeline: <const C extends ReadonlyArray<Command<unknown>>>(
    commands: CommandList<C>
  ) => Effect.Effect<Results<C>, E, R>
  /**
   * Runs several commands as one, with no other client's in between (`MULTI` and `EXEC`). If one is not accepted, none
   * is run; if one fails while it runs, the others are carried out all the same.
   */
  readonly multi: <const C extends ReadonlyArray<Command<unknown>>>(
    commands: CommandList<C>
  ) => Effect.Effect<Results<C>, RedisError | E, R>
  /** Runs a Lua script. Its text is sent once a server: after that its digest will do. */
  readonly script: {
    (lua: string, args?: ScriptArgs): Effect.Effect<Reply, RedisError | E, R>
    <A>(lua: string, args: ScriptArgs, decode: Decoder<A>): Effect.Effect<A, RedisError | E, R>
  }
  /** All keys that match, in steps that block nobody. A key that comes or goes meanwhile may be missing; none comes twice but by a resize. */
  readonly scan: (options?: ScanOptions) => Stream.Stream<string, RedisError | E, R>
  /** The same as bytes, for keys that need not be texts in UTF-8. */
  readonly scanBuffer: (options?: ScanOptions) => Stream.Stream<Buffer, RedisError | E, R>
  readonly hscan: (key: Arg, options?: ScanOptions) => Stream.Stream<readonly [string, string], RedisError | E, R>
  readonly sscan: (key: Arg, options?: ScanOptions) => Stream.Stream<string, RedisError | E, R>
  readonly zscan: (key: Arg, options?: ScanOptions) => Stream.Stream<readonly [string, number], RedisError | E, R>
}

/**
 * The view that a borrower gets: all commands, bound to this one connection. It ends with the lease: using it
 * afterwards is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisConnection extends Methods, Runner<never> {
  /** The server's number for the connection, as in `CLIENT LIST`, if it told. */
  readonly clientId: number | undefined
}

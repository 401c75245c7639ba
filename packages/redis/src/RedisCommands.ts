/**
 * Every command that has a type, as a function that makes it.
 *
 * They are the methods of a connection and the statics of a pool's class. As values they go into pipelines and
 * transactions: `redis.pipeline((redis) => [redis.get("a"), redis.incr("b")])`.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { any, type Arg, type Command, make, ok, type Reply } from "./RedisCommand.ts"
import type { RedisError } from "./RedisError.ts"
import { hashes } from "./internal/commands/hashes.ts"
import { keys } from "./internal/commands/keys.ts"
import { lists } from "./internal/commands/lists.ts"
import { sets } from "./internal/commands/sets.ts"
import { sortedSets } from "./internal/commands/sortedSets.ts"
import { streams } from "./internal/commands/streams.ts"
import { strings } from "./internal/commands/strings.ts"

const rest = {
  /** Any command, with its answer as texts, numbers and lists. */
  command: (name: string, ...args: ReadonlyArray<Arg>): Command<Reply> => make(name, args, any),
  /** Makes the next `multi` of the connection fail with `TransactionAborted` if one of the keys is changed before. */
  watch: (...keys: ReadonlyArray<Arg>): Command<void> => make("WATCH", keys, ok),
  unwatch: (): Command<void> => make("UNWATCH", [], ok)
}

/**
 * The functions, by the commands' names.
 *
 * @category commands
 * @since 0.1.0
 */
export interface Commands extends All {}

type All =
  & typeof strings
  & typeof keys
  & typeof hashes
  & typeof lists
  & typeof sets
  & typeof sortedSets
  & typeof streams
  & typeof rest

/**
 * All of them.
 *
 * @category commands
 * @since 0.1.0
 */
export const commands: Commands = {
  ...strings,
  ...keys,
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...streams,
  ...rest
}

/**
 * The same functions, each of which runs what it makes.
 *
 * @category models
 * @since 0.1.0
 */
export type Methods<E = RedisError, R = never> = {
  readonly [Name in keyof Commands]: (
    ...args: ArgsOf<Commands[Name]>
  ) => ReturnType<Commands[Name]> extends Command<infer A> ? Effect.Effect<A, E, R> : never
}

/** `Parameters` gives `never` for a function whose rest parameter is readonly. */
type ArgsOf<F> = F extends (...args: infer P extends ReadonlyArray<unknown>) => unknown ? P : never

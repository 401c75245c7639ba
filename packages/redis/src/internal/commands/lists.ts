/**
 * The commands of lists. Those that block have a connection to themselves.
 */
import { type Arg, type Command, int, list, make, ok, orUndefined, pair, type Span, text } from "../../RedisCommand.ts"
import { blockSeconds, some } from "./args.ts"
import { maybeInt, maybeText } from "./maybe.ts"

/** An end of a list. */
export type ListEnd = "LEFT" | "RIGHT"

const popped = orUndefined(list(text))
const taken = orUndefined(pair(text, text))

export const lists = {
  lpush: (key: Arg, ...values: ReadonlyArray<Arg>): Command<number> => some("LPUSH", [key], values, "value", int),
  rpush: (key: Arg, ...values: ReadonlyArray<Arg>): Command<number> => some("RPUSH", [key], values, "value", int),
  lpushX: (key: Arg, ...values: ReadonlyArray<Arg>): Command<number> => some("LPUSHX", [key], values, "value", int),
  rpushX: (key: Arg, ...values: ReadonlyArray<Arg>): Command<number> => some("RPUSHX", [key], values, "value", int),
  lpop: (key: Arg): Command<string | undefined> => make("LPOP", [key], maybeText),
  rpop: (key: Arg): Command<string | undefined> => make("RPOP", [key], maybeText),
  lpopCount: (key: Arg, count: number): Command<ReadonlyArray<string> | undefined> =>
    make("LPOP", [key, count], popped),
  rpopCount: (key: Arg, count: number): Command<ReadonlyArray<string> | undefined> =>
    make("RPOP", [key, count], popped),
  llen: (key: Arg): Command<number> => make("LLEN", [key], int),
  lrange: (key: Arg, start: number, stop: number): Command<ReadonlyArray<string>> =>
    make("LRANGE", [key, start, stop], list(text)),
  lindex: (key: Arg, index: number): Command<string | undefined> => make("LINDEX", [key, index], maybeText),
  lset: (key: Arg, index: number, value: Arg): Command<void> => make("LSET", [key, index, value], ok),
  lrem: (key: Arg, count: number, value: Arg): Command<number> => make("LREM", [key, count, value], int),
  ltrim: (key: Arg, start: number, stop: number): Command<void> => make("LTRIM", [key, start, stop], ok),
  linsert: (key: Arg, where: "BEFORE" | "AFTER", pivot: Arg, value: Arg): Command<number> =>
    make("LINSERT", [key, where, pivot, value], int),
  lpos: (key: Arg, value: Arg): Command<number | undefined> => make("LPOS", [key, value], maybeInt),
  lmove: (from: Arg, to: Arg, fromEnd: ListEnd, toEnd: ListEnd): Command<string | undefined> =>
    make("LMOVE", [from, to, fromEnd, toEnd], maybeText),
  /** The first value of the first list that has one, with that list's key; `undefined` after the timeout. */
  blpop: (keys: ReadonlyArray<Arg>, timeout: Span): Command<readonly [string, string] | undefined> =>
    make("BLPOP", [...keys, blockSeconds(timeout)], taken),
  /** The last value, likewise. */
  brpop: (keys: ReadonlyArray<Arg>, timeout: Span): Command<readonly [string, string] | undefined> =>
    make("BRPOP", [...keys, blockSeconds(timeout)], taken),
  /** Moves a value as soon as there is one. A consumer that dies with it has left it in the other list. */
  blmove: (
    from: Arg,
    to: Arg,
    fromEnd: ListEnd,
    toEnd: ListEnd,
    timeout: Span
  ): Command<string | undefined> => make("BLMOVE", [from, to, fromEnd, toEnd, blockSeconds(timeout)], maybeText)
}

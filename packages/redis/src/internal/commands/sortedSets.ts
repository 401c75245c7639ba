/**
 * The commands of sorted sets.
 */
import {
  type Arg,
  type Command,
  float,
  int,
  list,
  make,
  map,
  Mismatch,
  pairs,
  type RawReply,
  type Span,
  text
} from "../../RedisCommand.ts"
import { blockSeconds, onlyKnown, real, some } from "./args.ts"
import { maybeFloat, maybeInt } from "./maybe.ts"

/** A member and its score. */
export type Scored = readonly [member: string, score: number]

/** Options of `zadd`. */
export interface ZaddOptions {
  /** `"NX"`: only new members. `"XX"`: only those that exist. */
  readonly condition?: "NX" | "XX" | undefined
  /** Only scores that become greater, or less; new members are added in any case. */
  readonly compare?: "GT" | "LT" | undefined
  /** Counts the members that were changed as well. */
  readonly changed?: boolean | undefined
}

/** The part of a sorted set that a range is. */
export interface ZrangeOptions {
  /** Ranks (default), scores (`"(1"`, `"+inf"`), or members (`"[a"`, `"-"`). */
  readonly by?: "rank" | "score" | "lex" | undefined
  readonly reverse?: boolean | undefined
  /** Only for ranges by score or by member. */
  readonly limit?: { readonly offset: number; readonly count: number } | undefined
}

const bound = (value: Arg): Arg => typeof value === "number" ? real(value) : value

const zaddArgs = (entries: ReadonlyArray<Scored>, options: ZaddOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["condition", "compare", "changed"])
  const args: Array<Arg> = []
  if (options.condition !== undefined) args.push(options.condition)
  if (options.compare !== undefined) args.push(options.compare)
  if (options.changed === true) args.push("CH")
  for (const [member, value] of entries) args.push(real(value), member)
  return args
}

const rangeArgs = (key: Arg, start: Arg, stop: Arg, options: ZrangeOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["by", "reverse", "limit"])
  const args: Array<Arg> = [key, bound(start), bound(stop)]
  if (options.by === "score") args.push("BYSCORE")
  if (options.by === "lex") args.push("BYLEX")
  if (options.reverse === true) args.push("REV")
  if (options.limit !== undefined) args.push("LIMIT", options.limit.offset, options.limit.count)
  return args
}

const scored = pairs(text, float)
const first = map(scored, (entries): Scored | undefined => entries[0])
const notPopped = new Mismatch("a key, a member and a score")

const blockPopped = (reply: RawReply): readonly [key: string, member: string, score: number] | undefined | Mismatch => {
  if (reply === null) return undefined
  if (!Array.isArray(reply) || reply.length !== 3) return notPopped
  const key = text(reply[0])
  const member = text(reply[1])
  const value = float(reply[2])
  return key instanceof Mismatch || member instanceof Mismatch || value instanceof Mismatch
    ? notPopped
    : [key, member, value]
}

export const sortedSets = {
  zadd: (key: Arg, entries: ReadonlyArray<Scored>, options?: ZaddOptions): Command<number> =>
    entries.length === 0
      ? some("ZADD", [key], [], "member", int)
      : make("ZADD", [key, ...zaddArgs(entries, options)], int),
  zincrBy: (key: Arg, by: number, member: Arg): Command<number> => make("ZINCRBY", [key, real(by), member], float),
  zrem: (key: Arg, ...members: ReadonlyArray<Arg>): Command<number> => some("ZREM", [key], members, "member", int),
  zcard: (key: Arg): Command<number> => make("ZCARD", [key], int),
  zcount: (key: Arg, min: Arg, max: Arg): Command<number> => make("ZCOUNT", [key, bound(min), bound(max)], int),
  zscore: (key: Arg, member: Arg): Command<number | undefined> => make("ZSCORE", [key, member], maybeFloat),
  zmscore: (key: Arg, members: ReadonlyArray<Arg>): Command<ReadonlyArray<number | undefined>> =>
    some("ZMSCORE", [key], members, "member", list(maybeFloat)),
  zrank: (key: Arg, member: Arg): Command<number | undefined> => make("ZRANK", [key, member], maybeInt),
  zrevRank: (key: Arg, member: Arg): Command<number | undefined> => make("ZREVRANK", [key, member], maybeInt),
  zrange: (key: Arg, start: Arg, stop: Arg, options?: ZrangeOptions): Command<ReadonlyArray<string>> =>
    make("ZRANGE", rangeArgs(key, start, stop, options), list(text)),
  zrangeWithScores: (key: Arg, start: Arg, stop: Arg, options?: ZrangeOptions): Command<ReadonlyArray<Scored>> =>
    make("ZRANGE", [...rangeArgs(key, start, stop, options), "WITHSCORES"], scored),
  zremRangeByRank: (key: Arg, start: number, stop: number): Command<number> =>
    make("ZREMRANGEBYRANK", [key, start, stop], int),
  zremRangeByScore: (key: Arg, min: Arg, max: Arg): Command<number> =>
    make("ZREMRANGEBYSCORE", [key, bound(min), bound(max)], int),
  zpopMin: (key: Arg): Command<Scored | undefined> => make("ZPOPMIN", [key], first),
  zpopMax: (key: Arg): Command<Scored | undefined> => make("ZPOPMAX", [key], first),
  zinterStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> =>
    some("ZINTERSTORE", [to, keys.length], keys, "key", int),
  zunionStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> =>
    some("ZUNIONSTORE", [to, keys.length], keys, "key", int),
  /** The member with the least score of the first sorted set that has one; `undefined` after the timeout. */
  bzpopMin: (
    keys: ReadonlyArray<Arg>,
    timeout: Span
  ): Command<readonly [key: string, member: string, score: number] | undefined> =>
    make("BZPOPMIN", [...keys, blockSeconds(timeout)], blockPopped),
  /** The member with the greatest score, likewise. */
  bzpopMax: (
    keys: ReadonlyArray<Arg>,
    timeout: Span
  ): Command<readonly [key: string, member: string, score: number] | undefined> =>
    make("BZPOPMAX", [...keys, blockSeconds(timeout)], blockPopped)
}

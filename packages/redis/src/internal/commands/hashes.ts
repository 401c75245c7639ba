/**
 * The commands of hashes.
 */
import { type Arg, bigint, type Command, flag, float, int, list, make, record, text } from "../../RedisCommand.ts"
import { type Fields, flatten, real, some, withInteger } from "./args.ts"
import { maybeText } from "./maybe.ts"

export const hashes = {
  hget: (key: Arg, field: Arg): Command<string | undefined> => make("HGET", [key, field], maybeText),
  /** How many fields were added. */
  hset: (key: Arg, fields: Fields): Command<number> => some("HSET", [key], flatten(fields), "field", int),
  hsetNx: (key: Arg, field: Arg, value: Arg): Command<boolean> => make("HSETNX", [key, field, value], flag),
  hmget: (key: Arg, fields: ReadonlyArray<Arg>): Command<ReadonlyArray<string | undefined>> =>
    some("HMGET", [key], fields, "field", list(maybeText)),
  hgetAll: (key: Arg): Command<Readonly<Record<string, string>>> => make("HGETALL", [key], record(text)),
  hdel: (key: Arg, ...fields: ReadonlyArray<Arg>): Command<number> => some("HDEL", [key], fields, "field", int),
  hexists: (key: Arg, field: Arg): Command<boolean> => make("HEXISTS", [key, field], flag),
  hlen: (key: Arg): Command<number> => make("HLEN", [key], int),
  hkeys: (key: Arg): Command<ReadonlyArray<string>> => make("HKEYS", [key], list(text)),
  hvals: (key: Arg): Command<ReadonlyArray<string>> => make("HVALS", [key], list(text)),
  hincrBy: (key: Arg, field: Arg, by: number | bigint): Command<number> =>
    withInteger("HINCRBY", [key, field], by, int),
  /** The same where the value may be beyond 2^53. */
  hincrByBigInt: (key: Arg, field: Arg, by: number | bigint): Command<bigint> =>
    withInteger("HINCRBY", [key, field], by, bigint),
  hincrByFloat: (key: Arg, field: Arg, by: number): Command<number> =>
    make("HINCRBYFLOAT", [key, field, real(by)], float),
  hstrlen: (key: Arg, field: Arg): Command<number> => make("HSTRLEN", [key, field], int)
}

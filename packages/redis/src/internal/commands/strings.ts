/**
 * The commands of strings and of counters.
 */
import {
  type Arg,
  bigint,
  bytes,
  type Command,
  flag,
  float,
  int,
  list,
  make,
  map,
  type Mismatch,
  ok,
  orUndefined,
  type RawReply,
  type Span,
  text
} from "../../RedisCommand.ts"
import { expiry, flatten, onlyKnown, real, some, withInteger } from "./args.ts"
import { maybeText } from "./maybe.ts"

/** Options of `set`. */
export interface SetOptions {
  /** The key is deleted after so long, at least 1 ms: `"10 seconds"`, `{ seconds: 10 }`. A bare number is refused. Without it the key stays, and an earlier ttl is taken away. */
  readonly ttl?: Span | undefined
  /** Keeps the ttl that the key has. */
  readonly keepTtl?: boolean | undefined
  /** `"NX"`: only if the key does not exist. `"XX"`: only if it does. */
  readonly condition?: "NX" | "XX" | undefined
}

const setArgs = (key: Arg, value: Arg, options: SetOptions | undefined): ReadonlyArray<Arg> => {
  if (options === undefined) return [key, value]
  onlyKnown(options, ["ttl", "keepTtl", "condition"])
  const args: Array<Arg> = [key, value]
  if (options.condition !== undefined) args.push(options.condition)
  if (options.ttl !== undefined) args.push("PX", expiry(options.ttl))
  if (options.keepTtl === true) args.push("KEEPTTL")
  return args
}

const maybeBytes = orUndefined(bytes)
const done = map(ok, () => true)
const wasSet = (reply: RawReply): boolean | Mismatch => reply === null ? false : done(reply)

export const strings = {
  get: (key: Arg): Command<string | undefined> => make("GET", [key], maybeText),
  getBuffer: (key: Arg): Command<Buffer | undefined> => make("GET", [key], maybeBytes),
  /** Whether it was set: always, unless `condition` was not met. */
  set: (key: Arg, value: Arg, options?: SetOptions): Command<boolean> =>
    make("SET", setArgs(key, value, options), wasSet),
  /** Sets, and answers the value from before. */
  setGet: (key: Arg, value: Arg, options?: SetOptions): Command<string | undefined> =>
    make("SET", [...setArgs(key, value, options), "GET"], maybeText),
  getDel: (key: Arg): Command<string | undefined> => make("GETDEL", [key], maybeText),
  /** Gets, and sets a new ttl or takes it away. */
  getEx: (key: Arg, ttl: Span | "persist"): Command<string | undefined> =>
    make("GETEX", ttl === "persist" ? [key, "PERSIST"] : [key, "PX", expiry(ttl)], maybeText),
  mget: (keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string | undefined>> =>
    some("MGET", [], keys, "key", list(maybeText)),
  mset: (entries: Readonly<Record<string, Arg>> | ReadonlyArray<readonly [Arg, Arg]>): Command<void> =>
    some("MSET", [], flatten(entries), "key", ok),
  append: (key: Arg, value: Arg): Command<number> => make("APPEND", [key, value], int),
  strlen: (key: Arg): Command<number> => make("STRLEN", [key], int),
  getRange: (key: Arg, start: number, end: number): Command<string> => make("GETRANGE", [key, start, end], text),
  setRange: (key: Arg, offset: number, value: Arg): Command<number> => make("SETRANGE", [key, offset, value], int),
  incr: (key: Arg): Command<number> => make("INCR", [key], int),
  incrBy: (key: Arg, by: number | bigint): Command<number> => withInteger("INCRBY", [key], by, int),
  /** The same where the value may be beyond 2^53. */
  incrByBigInt: (key: Arg, by: number | bigint): Command<bigint> => withInteger("INCRBY", [key], by, bigint),
  incrByFloat: (key: Arg, by: number): Command<number> => make("INCRBYFLOAT", [key, real(by)], float),
  decr: (key: Arg): Command<number> => make("DECR", [key], int),
  decrBy: (key: Arg, by: number | bigint): Command<number> => withInteger("DECRBY", [key], by, int),
  getBit: (key: Arg, offset: number): Command<boolean> => make("GETBIT", [key, offset], flag),
  setBit: (key: Arg, offset: number, bit: boolean): Command<boolean> =>
    make("SETBIT", [key, offset, bit ? 1 : 0], flag),
  bitCount: (key: Arg): Command<number> => make("BITCOUNT", [key], int)
}

/**
 * The commands of sets and of HyperLogLogs.
 */
import { type Arg, type Command, flag, int, list, make, ok, text } from "../../RedisCommand.ts"
import { some } from "./args.ts"
import { maybeText } from "./maybe.ts"

export const sets = {
  sadd: (key: Arg, ...members: ReadonlyArray<Arg>): Command<number> => some("SADD", [key], members, "member", int),
  srem: (key: Arg, ...members: ReadonlyArray<Arg>): Command<number> => some("SREM", [key], members, "member", int),
  smembers: (key: Arg): Command<ReadonlyArray<string>> => make("SMEMBERS", [key], list(text)),
  sismember: (key: Arg, member: Arg): Command<boolean> => make("SISMEMBER", [key, member], flag),
  smismember: (key: Arg, members: ReadonlyArray<Arg>): Command<ReadonlyArray<boolean>> =>
    some("SMISMEMBER", [key], members, "member", list(flag)),
  scard: (key: Arg): Command<number> => make("SCARD", [key], int),
  spop: (key: Arg): Command<string | undefined> => make("SPOP", [key], maybeText),
  srandMember: (key: Arg): Command<string | undefined> => make("SRANDMEMBER", [key], maybeText),
  smove: (from: Arg, to: Arg, member: Arg): Command<boolean> => make("SMOVE", [from, to, member], flag),
  sinter: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => some("SINTER", [], keys, "key", list(text)),
  sunion: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => some("SUNION", [], keys, "key", list(text)),
  sdiff: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => some("SDIFF", [], keys, "key", list(text)),
  sinterStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => some("SINTERSTORE", [to], keys, "key", int),
  sunionStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => some("SUNIONSTORE", [to], keys, "key", int),
  sdiffStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => some("SDIFFSTORE", [to], keys, "key", int),
  pfadd: (key: Arg, ...elements: ReadonlyArray<Arg>): Command<boolean> => make("PFADD", [key, ...elements], flag),
  pfcount: (...keys: ReadonlyArray<Arg>): Command<number> => some("PFCOUNT", [], keys, "key", int),
  pfmerge: (to: Arg, keys: ReadonlyArray<Arg>): Command<void> => make("PFMERGE", [to, ...keys], ok)
}

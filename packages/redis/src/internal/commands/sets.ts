/**
 * The commands of sets and of HyperLogLogs.
 */
import { type Arg, type Command, flag, int, list, make, ok, orUndefined, text } from "../../RedisCommand.ts"

export const sets = {
  sadd: (key: Arg, ...members: ReadonlyArray<Arg>): Command<number> => make("SADD", [key, ...members], int),
  srem: (key: Arg, ...members: ReadonlyArray<Arg>): Command<number> => make("SREM", [key, ...members], int),
  smembers: (key: Arg): Command<ReadonlyArray<string>> => make("SMEMBERS", [key], list(text)),
  sismember: (key: Arg, member: Arg): Command<boolean> => make("SISMEMBER", [key, member], flag),
  smismember: (key: Arg, members: ReadonlyArray<Arg>): Command<ReadonlyArray<boolean>> =>
    make("SMISMEMBER", [key, ...members], list(flag)),
  scard: (key: Arg): Command<number> => make("SCARD", [key], int),
  spop: (key: Arg): Command<string | undefined> => make("SPOP", [key], orUndefined(text)),
  srandMember: (key: Arg): Command<string | undefined> => make("SRANDMEMBER", [key], orUndefined(text)),
  smove: (from: Arg, to: Arg, member: Arg): Command<boolean> => make("SMOVE", [from, to, member], flag),
  sinter: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => make("SINTER", keys, list(text)),
  sunion: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => make("SUNION", keys, list(text)),
  sdiff: (...keys: ReadonlyArray<Arg>): Command<ReadonlyArray<string>> => make("SDIFF", keys, list(text)),
  sinterStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => make("SINTERSTORE", [to, ...keys], int),
  sunionStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => make("SUNIONSTORE", [to, ...keys], int),
  sdiffStore: (to: Arg, keys: ReadonlyArray<Arg>): Command<number> => make("SDIFFSTORE", [to, ...keys], int),
  pfadd: (key: Arg, ...elements: ReadonlyArray<Arg>): Command<boolean> => make("PFADD", [key, ...elements], flag),
  pfcount: (...keys: ReadonlyArray<Arg>): Command<number> => make("PFCOUNT", keys, int),
  pfmerge: (to: Arg, keys: ReadonlyArray<Arg>): Command<void> => make("PFMERGE", [to, ...keys], ok)
}

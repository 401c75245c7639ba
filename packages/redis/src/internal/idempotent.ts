/**
 * Which commands may be sent once more where nobody knows whether they were carried out.
 */
import type { EncodedArg } from "./request.ts"

/**
 * Those that wait for something to be given to the caller. What was given while the answer was lost is lost, or left where
 * it was moved to, whether the wait begins anew or not.
 */
const waits: ReadonlySet<string> = new Set(
  "BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP XREADGROUP".split(" ")
)

/** Those that change nothing, and those whose second time leaves everything as the first has. */
const always: ReadonlySet<string> = new Set(
  [
    "GET GETRANGE SUBSTR STRLEN MGET LCS GETBIT BITCOUNT BITPOS BITFIELD_RO",
    "EXISTS TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANDOMKEY DBSIZE DUMP OBJECT MEMORY TOUCH SORT_RO",
    "HGET HMGET HGETALL HEXISTS HLEN HKEYS HVALS HSTRLEN HSCAN HRANDFIELD HTTL HPTTL HEXPIRETIME HPEXPIRETIME",
    "LINDEX LLEN LPOS LRANGE",
    "SCARD SISMEMBER SMISMEMBER SMEMBERS SRANDMEMBER SINTER SUNION SDIFF SINTERCARD SSCAN",
    "ZCARD ZCOUNT ZLEXCOUNT ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZRANK ZREVRANK",
    "ZSCORE ZMSCORE ZRANDMEMBER ZSCAN ZINTER ZUNION ZDIFF ZINTERCARD",
    "XLEN XRANGE XREVRANGE XREAD XINFO XPENDING PFCOUNT GEODIST GEOHASH GEOPOS GEOSEARCH",
    "GEORADIUS_RO GEORADIUSBYMEMBER_RO EVAL_RO EVALSHA_RO FCALL_RO",
    "PING ECHO TIME INFO ROLE COMMAND LASTSAVE PUBSUB WATCH UNWATCH",
    "SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE",
    "SETEX PSETEX MSET GETEX SETBIT SETRANGE DEL UNLINK EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST",
    "HSET HMSET HDEL LSET SADD SREM SINTERSTORE SUNIONSTORE SDIFFSTORE ZREM ZREMRANGEBYSCORE ZREMRANGEBYLEX",
    "PFADD PFMERGE GEOADD XACK XDEL"
  ].join(" ").split(" ")
)

/**
 * Whether a second time does no harm. What is not known may do some: a script, a command of a module. So may one that takes
 * something away for the caller alone, whose answer tells who was first, or that adds to what is there.
 */
export const isIdempotent = (name: string, args: ReadonlyArray<EncodedArg>): boolean => {
  if (always.has(name) || waits.has(name)) return true
  // With these words the answer tells of what was there before, and the second time that is the first's doing.
  if (name === "SET") return !args.slice(2).some((arg) => /^(?:NX|GET)$/i.test(arg.toString()))
  return name === "ZADD" && !args.slice(1, 6).some((arg) => /^INCR$/i.test(arg.toString()))
}

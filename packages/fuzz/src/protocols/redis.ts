/** Redis: a server that answers what a pool asks at its dial, and every kind of reply after it. */
import { RedisCommand, RedisPool } from "@effect-pools/redis"
import * as Effect from "effect/Effect"
import type { Protocol } from "../Protocol.ts"
import { limits } from "./limits.ts"

class Cache extends RedisPool.Service<Cache>()("fuzz/Cache") {}

const replies: Readonly<Record<string, string>> = {
  HELLO: "*6\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n$4\r\nrole\r\n$6\r\nmaster\r\n",
  GET: "$5\r\nvalue\r\n",
  MGET: "*3\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n",
  INCR: ":42\r\n",
  HGETALL: "*4\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n$1\r\nw\r\n",
  LRANGE: "*2\r\n*1\r\n:1\r\n*2\r\n$1\r\nx\r\n+y\r\n",
  INFO: "$29\r\n# Replication\r\nrole:master\r\n\r\n",
  ROLE: "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
  PING: "+PONG\r\n",
  FAIL: "-ERR no such thing\r\n"
}

/** The names of the commands in a chunk. Arguments of ours are short, so a length followed by a name is a command. */
const namesIn = (received: Buffer): ReadonlyArray<string> =>
  Array.from(received.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n([^\r]+)\r\n/g), ([, name]) => name!.toUpperCase())

const program = Effect.all([
  Effect.exit(Cache.get("k")),
  Effect.exit(Cache.mget(["a", "b", "c"])),
  Effect.exit(Cache.incr("n")),
  Effect.exit(Cache.hgetAll("h")),
  Effect.exit(Cache.withConnection((redis) => redis.run(RedisCommand.make("LRANGE", ["l", 0, -1], RedisCommand.raw)))),
  Effect.exit(Cache.withConnection((redis) => redis.run(RedisCommand.make("FAIL", [], RedisCommand.raw))))
])

export const redis: Protocol = {
  name: "redis",
  answerer: () => (received) =>
    Buffer.from(namesIn(received).map((name) => replies[name] ?? "+OK\r\n").join(""), "latin1"),
  use: (port) => Effect.provide(program, Cache.layer({ host: "127.0.0.1", port, commandTimeout: 300, ...limits }))
}

/** The pool, beside the one connection that most programs have. */
import { RedisPool } from "@effect-pools/redis"
import { TestCertificate } from "@effect-pools/testing"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { RedisError } from "@effect-pools/redis/RedisError"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import { bareClient, effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"

class Cache extends RedisPool.Service<Cache>()("bench/Cache") {}

/** The same operation for both. */
export interface Operation<A> {
  ours(cache: typeof Cache, i: number): Effect.Effect<A, RedisError | PoolError, Cache>
  bare(redis: Redis, i: number): Promise<A>
}

/** For servers that speak TLS, whose URLs begin with `rediss:`. */
const tlsOf = (url: string): { readonly tls?: { readonly ca: string } } =>
  url.startsWith("rediss:") ? { tls: { ca: TestCertificate.certificate } } : {}

const ours = <A>(name: string, connections: number, operation: Operation<A>): Contender<A> => ({
  name,
  isOurs: true,
  connections,
  open: (url) =>
    effectClient(
      Cache.layerPoolOnly({
        url: Redacted.make(url),
        minConnections: connections,
        maxConnections: connections,
        ...tlsOf(url)
      }),
      (i) => operation.ours(Cache, i)
    )
})

const ioredis = <A>(name: string, enableAutoPipelining: boolean, operation: Operation<A>): Contender<A> => ({
  name,
  isOurs: false,
  connections: 1,
  async open(url) {
    const { hostname, port } = new URL(url)
    const redis = new Redis(Number(port), hostname, { enableAutoPipelining, ...tlsOf(url) })
    return bareClient((i) => operation.bare(redis, i), () => redis.quit())
  }
})

export const contendersFor = <A>(operation: Operation<A>): ReadonlyArray<Contender<A>> => [
  ours("effect-pools", poolSize, operation),
  ours("effect-pools of 1", 1, operation),
  ioredis("ioredis", false, operation),
  ioredis("ioredis auto-pipelined", true, operation)
]

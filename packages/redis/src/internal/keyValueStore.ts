/**
 * A `KeyValueStore` whose keys begin with a prefix.
 */
import { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Stream from "effect/Stream"
import type { RedisError } from "../RedisError.ts"
import type { ScanOptions } from "./connectionModel.ts"
import type { RedisPool } from "./model.ts"

type Failure = RedisError | PoolError

export const make = (
  pool: string,
  redis: RedisPool,
  { prefix }: { readonly prefix: string }
): Effect.Effect<KeyValueStore.KeyValueStore, PoolError> => {
  if (prefix === "") {
    const reason = new InvalidOption({
      option: "prefix",
      rule: "must not be empty, since clear removes what begins so"
    })
    return Effect.fail(new PoolError({ pool, reason }))
  }
  const keys = Effect.map(
    Stream.runCollect(scan(redis, prefix)),
    // A key may come twice while the server reorders its table.
    (found) => Array.from(new Set(found), (key) => key.slice(prefix.length))
  )
  return Effect.succeed(KeyValueStore.make({
    get: (key) => named("get", redis.get(prefix + key), key),
    getUint8Array: (key) => named("getUint8Array", redis.getBuffer(prefix + key), key),
    set: (key, value) => named("set", redis.set(prefix + key, value), key),
    remove: (key) => named("remove", redis.unlink(prefix + key), key),
    has: (key) => named("has", Effect.map(redis.exists(prefix + key), (count) => count === 1), key),
    clear: named("clear", clear(redis, prefix)),
    clearPrefix: (start) => named("clearPrefix", clear(redis, prefix + start)),
    keys: named("keys", keys),
    size: named("size", Effect.map(keys, (found) => found.length))
  }))
}

const scan = (redis: RedisPool, start: string): Stream.Stream<string, Failure> => redis.scan(beginning(start))

const beginning = (start: string): ScanOptions => ({
  match: `${start.replaceAll(/[*?[\]\\]/g, "\\$&")}*`,
  count: 500
})

/** One by one, since in a cluster each has a place of its own; they leave together all the same. */
const clear = (redis: RedisPool, start: string): Effect.Effect<void, Failure> =>
  Stream.runForEachArray(
    // Keys that begin so are removed whoever wrote them, be they texts or not.
    redis.scanBuffer(beginning(start)),
    (keys) => Effect.forEach(keys, (key) => redis.unlink(key), { concurrency: "unbounded", discard: true })
  )

const named = <A>(
  method: string,
  effect: Effect.Effect<A, Failure>,
  key?: string
): Effect.Effect<A, KeyValueStore.KeyValueStoreError> =>
  Effect.mapError(effect, (cause) =>
    new KeyValueStore.KeyValueStoreError({
      message: cause.message,
      method,
      ...(key === undefined ? {} : { key }),
      cause
    }))

/** One key read, one key written; a large one read, and a small one over TLS. */
import { Redis } from "ioredis"
import type { Workload } from "../workload.ts"
import { contendersFor } from "./contenders.ts"
import { keys, largeKey, largeKeys, largeValueOf, readKey, valueOf, writtenKey } from "./data.ts"

const operations = { 1: 5000, 10: 30_000, 64: 64_000 }

const get: Workload<string | null | undefined> = {
  name: "redis-get",
  server: "redis",
  operations,
  isRight: (i, value) => value === valueOf(i),
  weigh: (value) => Number.parseInt(value ?? "", 10),
  weight: (i) => i % keys,
  contenders: contendersFor({
    ours: (cache, i) => cache.get(readKey(i)),
    bare: (redis, i) => redis.get(readKey(i))
  })
}

const getWithTls: typeof get = {
  ...get,
  name: "redis-tls-get",
  server: "redisTls",
  operations: { 1: 4000, 10: 20_000, 64: 32_000 }
}

const getLarge: typeof get = {
  ...get,
  name: "redis-large-get",
  worth: 10,
  operations: { 1: 1500, 10: 2000, 64: 3200 },
  isRight: (i, value) => value === largeValueOf(i),
  weight: (i) => i % largeKeys,
  contenders: contendersFor({
    ours: (cache, i) => cache.get(largeKey(i)),
    bare: (redis, i) => redis.get(largeKey(i))
  })
}

/** Reads what was written, and takes it away for the next. */
const inspect = async (url: string): Promise<string | undefined> => {
  const redis = new Redis(url)
  const names = Array.from({ length: keys }, (_, i) => writtenKey(i))
  const values = await redis.mget(names)
  await redis.del(names)
  await redis.quit()
  const wrong = values.findIndex((value, i) => value !== valueOf(i))
  return wrong === -1 ? undefined : `did not write ${writtenKey(wrong)}`
}

const set: Workload<boolean | "OK"> = {
  name: "redis-set",
  server: "redis",
  operations,
  isRight: (_, done) => done === true || done === "OK",
  weigh: (done) => done === true || done === "OK" ? 1 : 0,
  weight: () => 1,
  inspect,
  contenders: contendersFor<boolean | "OK">({
    ours: (cache, i) => cache.set(writtenKey(i), valueOf(i)),
    bare: (redis, i) => redis.set(writtenKey(i), valueOf(i))
  })
}

export const redisWorkloads: ReadonlyArray<Workload<unknown>> = [get, set, getLarge, getWithTls]

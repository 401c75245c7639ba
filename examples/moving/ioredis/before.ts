import { Redis } from "ioredis"

const url = process.env["REDIS_URL"] ?? ""
const redis = new Redis(url, { commandTimeout: 5_000, maxRetriesPerRequest: 3 })
redis.on("error", (error) => console.error("redis", error.message))
// A connection that subscribes can do nothing else.
const subscriber = new Redis(url)
subscriber.on("error", (error) => console.error("subscriber", error.message))

await redis.set("user:1", "Ada", "EX", 600)
console.log(await redis.get("user:1"), await redis.get("user:2"))

await redis.del("visits", "names")
const results = await redis.pipeline().incr("visits").rpush("names", "Ada", "Grace").lrange("names", 0, -1).exec()
console.log(JSON.stringify(results?.map(([, value]) => value)))

// WATCH is the connection's, so another caller of `redis` between it and EXEC would take part.
const own = redis.duplicate()
await own.watch("visits")
const visits = Number(await own.get("visits"))
const done = await own.multi().set("visits", visits * 10).get("visits").exec()
console.log(done?.[1]?.[1])
own.disconnect()

const heard = new Promise<string>((resolve) => subscriber.on("message", (_, message) => resolve(message)))
await subscriber.subscribe("news")
await redis.publish("news", "hello")
console.log(await heard)

subscriber.disconnect()
await redis.quit()

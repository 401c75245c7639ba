import genericPool from "generic-pool"
import { Session } from "./session.ts"

const { hostname, port } = new URL(process.env["REDIS_URL"] ?? "")

const pool = genericPool.createPool({
  create: () => Session.open(hostname, Number(port)),
  destroy: async (session) => session.close(),
  validate: async (session) => session.isOpen && (await session.ask("PING")) === "+PONG"
}, {
  min: 1,
  max: 4,
  testOnBorrow: true,
  acquireTimeoutMillis: 5_000,
  idleTimeoutMillis: 30_000,
  evictionRunIntervalMillis: 10_000
})
pool.on("factoryCreateError", (error) => console.error("create", error.message))

const ask = async (line: string): Promise<string> => {
  const session = await pool.acquire()
  try {
    return await session.ask(line)
  } finally {
    await pool.release(session)
  }
}

console.log(await ask("SET moving 41"))
console.log(await ask("INCR moving"))
console.log((await Promise.all(Array.from({ length: 10 }, () => ask("PING")))).join(" "))
await pool.drain()
await pool.clear()

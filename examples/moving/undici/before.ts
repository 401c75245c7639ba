import { Pool } from "undici"

const pool = new Pool(process.env["ORIGIN"] ?? "", {
  connections: 4,
  connect: { timeout: 5_000 },
  headersTimeout: 10_000,
  bodyTimeout: 10_000,
  keepAliveTimeout: 30_000
})

interface Voice {
  readonly id: number
  readonly name: string
}

const all = await pool.request({ method: "GET", path: "/v1/voices", query: { language: "en" } })
for (const { id, name } of await all.body.json() as ReadonlyArray<Voice>) console.log(id, name)

const added = await pool.request({
  method: "POST",
  path: "/v1/voices",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ name: "Grace" })
})
console.log(added.statusCode, (await added.body.json() as Voice).name)

const missing = await pool.request({ method: "GET", path: "/v1/voices/99" })
// A body that nobody reads holds its connection.
await missing.body.dump()
console.log(missing.statusCode)

await pool.close()

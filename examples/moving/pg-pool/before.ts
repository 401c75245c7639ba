import { Pool } from "pg"

const pool = new Pool({
  connectionString: process.env["DATABASE_URL"],
  max: 4,
  idleTimeoutMillis: 30_000,
  connectionTimeoutMillis: 5_000
})
// Without this listener a connection that dies while it is idle ends the process.
pool.on("error", (error) => console.error("idle client", error.message))

const transfer = async (from: string, to: string, amount: number): Promise<void> => {
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    await client.query("UPDATE account SET balance = balance - $1 WHERE name = $2", [amount, from])
    await client.query("UPDATE account SET balance = balance + $1 WHERE name = $2", [amount, to])
    await client.query("COMMIT")
  } catch (error) {
    await client.query("ROLLBACK")
    throw error
  } finally {
    client.release()
  }
}

await pool.query(
  "CREATE TABLE IF NOT EXISTS account (name text PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0))"
)
await pool.query(
  "INSERT INTO account VALUES ('Ada', 50), ('Grace', 30) ON CONFLICT (name) DO UPDATE SET balance = EXCLUDED.balance"
)
await transfer("Ada", "Grace", 20)
await transfer("Ada", "Grace", 1_000).catch(() => console.log("refused"))
const { rows } = await pool.query<{ name: string; balance: number }>("SELECT name, balance FROM account ORDER BY name")
for (const { balance, name } of rows) console.log(`${name}: ${balance}`)
await pool.end()

/** PostgreSQL: a server that lets in whoever comes, and answers each statement with rows of several types. */
import { PostgresPool } from "@effect-pools/postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Protocol } from "../Protocol.ts"
import { limits } from "./limits.ts"

class Db extends PostgresPool.Service<Db>()("fuzz/Db") {}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const message = (type: string, ...parts: ReadonlyArray<Buffer | string>): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

const ready = message("Z", "I")

const welcome = Buffer.concat([
  message("R", int32(0)),
  message("S", "server_version\0", "18.0\0"),
  message("S", "client_encoding\0", "UTF8\0"),
  message("S", "in_hot_standby\0", "off\0"),
  message("S", "default_transaction_read_only\0", "off\0"),
  message("K", int32(7), int32(11)),
  ready
])

/** Name and type (oid) of each column: int4, text, bool, jsonb, timestamptz, float8, bytea, int4[]. */
const columns = [["a", 23], ["b", 25], ["c", 16], ["d", 3802], ["e", 1184], ["f", 701], ["g", 17], ["h", 1007]] as const

const rowDescription = message(
  "T",
  int16(columns.length),
  ...columns.flatMap(([name, oid]) => [`${name}\0`, int32(0), int16(0), int32(oid), int16(-1), int32(-1), int16(1)])
)

const values = [
  int32(42),
  Buffer.from("text"),
  Buffer.of(1),
  Buffer.concat([Buffer.of(1), Buffer.from("{\"k\":[1,2]}")]),
  Buffer.alloc(8),
  Buffer.alloc(8),
  Buffer.from("bytes"),
  Buffer.concat([int32(1), int32(0), int32(23), int32(1), int32(1), int32(4), int32(7)])
]

const row = message("D", int16(values.length), ...values.flatMap((value) => [int32(value.length), value]))

const replies: Readonly<Record<string, Buffer>> = {
  P: message("1"),
  B: message("2"),
  D: Buffer.concat([message("t", int16(0)), rowDescription]),
  E: Buffer.concat([row, row, message("C", "SELECT 2\0")]),
  C: message("3"),
  S: ready,
  Q: Buffer.concat([message("C", "SET\0"), ready])
}

/** The types of the whole messages in what came, and what is left over. */
const typesIn = (received: Buffer): { readonly types: ReadonlyArray<string>; readonly rest: Buffer } => {
  const types: Array<string> = []
  let at = 0
  while (at + 5 <= received.length && at + 1 + received.readInt32BE(at + 1) <= received.length) {
    types.push(String.fromCharCode(received[at]!))
    at += 1 + received.readInt32BE(at + 1)
  }
  return { types, rest: received.subarray(at) }
}

const answerer = (): (received: Buffer) => Buffer => {
  let isIn = false
  let pending: Buffer = Buffer.alloc(0)
  return (received) => {
    if (!isIn) {
      isIn = true
      return welcome
    }
    const { rest, types } = typesIn(Buffer.concat([pending, received]))
    pending = rest
    return Buffer.concat(types.map((type) => replies[type] ?? Buffer.alloc(0)))
  }
}

/** A statement has no limit of its own towards a server that is silent: the program sets one. */
const limited = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.exit(Effect.timeout(effect, 500))

const program = Effect.all([
  limited(Db.query`SELECT ${1} AS a`),
  limited(Db.transaction(Effect.andThen(Db.query`SELECT 2 AS a`, Db.query`SELECT ${"x"} AS a`))),
  limited(Db.withConnection((sql) => sql`SELECT 3 AS a`)),
  limited(Db.withConnection((sql) => Effect.andThen(sql`SET x = 1`, sql`SELECT 4 AS a`)))
])

export const postgres: Protocol = {
  name: "postgres",
  answerer,
  use: (port) =>
    Effect.provide(
      program,
      Db.layer({ url: Redacted.make(`postgres://app:secret@127.0.0.1:${port}/db`), statementTimeout: 300, ...limits })
    )
}

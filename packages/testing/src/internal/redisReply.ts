/**
 * Asks a Redis server one thing, over a connection of its own. A client for checks and set-ups, with the older of the
 * two protocols, and as small as that allows.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { EmbeddedRedisError } from "./redisError.ts"

/**
 * The answer of a server. A hash is a list of names and values in turn.
 *
 * @category models
 * @since 0.1.0
 */
export type Reply = string | number | null | ReadonlyArray<Reply>

export interface Address {
  readonly host: string
  readonly port: number
  readonly password: string | undefined
}

/** The connection's name, by which it is told from those of the program under test. */
export const askerName = "effect-pools-asker"

/** Logs in if there is a password, and gives the answer to the command. */
export const ask = (
  { host, password, port }: Address,
  args: ReadonlyArray<string | number>
): Effect.Effect<Reply, EmbeddedRedisError> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ host, port })
    const fail = (detail: string, cause?: unknown): void =>
      resume(Effect.fail(new EmbeddedRedisError({ step: "command", detail, cause })))
    const login = password === undefined ? [] : [["AUTH", password]]
    const commands = [...login, ["CLIENT", "SETNAME", askerName], args]
    let received = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      const reply = parseAll(received, commands.length)[commands.length - 1]
      if (reply === undefined) return
      if (reply instanceof ServerSaidNo) fail(reply.message)
      else resume(Effect.succeed(reply))
      socket.destroy()
    })
    socket.once("error", (cause) => fail(`${host}:${port}: ${cause.message}`, cause))
    // Its last words, such as that it has too many clients.
    socket.once("close", () => {
      const no = parseAll(received, commands.length).find((reply) => reply instanceof ServerSaidNo)
      fail(no?.message ?? `${host}:${port} ended the connection`)
    })
    socket.write(commands.map(encode).join(""))
    return Effect.sync(() => void socket.destroy())
  })

const encode = (args: ReadonlyArray<string | number>): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join("")}`

class ServerSaidNo {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

interface Parsed {
  readonly value: Reply | ServerSaidNo
  readonly next: number
}

/** The complete answers so far, up to as many as were asked for. */
const parseAll = (bytes: Buffer, count: number): ReadonlyArray<Reply | ServerSaidNo> => {
  const replies: Array<Reply | ServerSaidNo> = []
  let at = 0
  while (replies.length < count) {
    const parsed = parse(bytes, at)
    if (parsed === undefined) break
    replies.push(parsed.value)
    at = parsed.next
  }
  return replies
}

/** One answer from `at` on; `undefined` while it is not complete. */
const parse = (bytes: Buffer, at: number): Parsed | undefined => {
  const end = bytes.indexOf("\r\n", at)
  if (end < 0) return undefined
  const line = bytes.toString("utf8", at + 1, end)
  const next = end + 2
  switch (String.fromCharCode(bytes[at] ?? 0)) {
    case "-":
      return { value: new ServerSaidNo(line), next }
    case ":":
      return { value: Number(line), next }
    case "$":
      return parseBulk(bytes, Number(line), next)
    case "*":
      return parseList(bytes, Number(line), next)
    default:
      return { value: line, next }
  }
}

const parseBulk = (bytes: Buffer, length: number, at: number): Parsed | undefined => {
  if (length < 0) return { value: null, next: at }
  const next = at + length + 2
  return bytes.length < next ? undefined : { value: bytes.toString("utf8", at, at + length), next }
}

const parseList = (bytes: Buffer, length: number, at: number): Parsed | undefined => {
  if (length < 0) return { value: null, next: at }
  const items: Array<Reply> = []
  let next = at
  while (items.length < length) {
    const item = parse(bytes, next)
    if (item === undefined) return undefined
    items.push(item.value instanceof ServerSaidNo ? item.value.message : item.value)
    next = item.next
  }
  return { value: items, next }
}

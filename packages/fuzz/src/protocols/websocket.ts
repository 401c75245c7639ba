/** WebSocket: a server that upgrades, and answers each frame with text, bytes, fragments, pings and a close. */
import { WebSocketPool } from "@effect-pools/websocket"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { Protocol } from "../Protocol.ts"
import { limits } from "./limits.ts"

class Chat extends WebSocketPool.Service<Chat>()("fuzz/Chat") {}

/** The constant of RFC 6455, section 1.3. */
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const upgrade = (key: string): Buffer => {
  const accept = createHash("sha1").update(`${key}${guid}`).digest("base64")
  return Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`
  )
}

const frame = (head: number, payload: string): Buffer =>
  Buffer.concat([Buffer.of(head, payload.length), Buffer.from(payload)])

const replies = [
  frame(0x81, "hello"),
  Buffer.concat([frame(0x01, "he"), frame(0x89, "ping"), frame(0x80, "llo")]),
  frame(0x82, "\u0001\u0002\u0003"),
  Buffer.concat([frame(0x81, "{}"), frame(0x8a, "")]),
  frame(0x88, "\u0003\u00e8bye")
]

const answerer = (): (received: Buffer) => Buffer => {
  let next = 0
  return (received) => {
    const key = /sec-websocket-key: (\S+)/i.exec(received.toString("latin1"))?.[1]
    return key === undefined ? replies[next++ % replies.length]! : upgrade(key)
  }
}

const program = Effect.all([
  Effect.exit(Chat.send("a")),
  Effect.exit(Chat.withConnection((connection) =>
    Effect.andThen(
      connection.send("b"),
      connection.messages.pipe(Stream.take(2), Stream.runDrain, Effect.timeout(200))
    )
  )),
  Effect.exit(Chat.send(new Uint8Array([1, 2, 3])))
])

export const websocket: Protocol = {
  name: "websocket",
  answerer,
  use: (port) =>
    Effect.provide(
      program,
      Chat.layer({
        url: Redacted.make(`ws://127.0.0.1:${port}/`),
        pongTimeout: 300,
        sendTimeout: 300,
        requestTimeout: 300,
        ...limits
      })
    )
}

/**
 * Ready options for servers that speak JSON with heartbeats of their own.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Control, ControlMessages, MessageSchema, RawMessage } from "./internal/configModel.ts"

/**
 * The options of a pool that `json` gives.
 *
 * @category models
 * @since 0.1.0
 */
export interface Protocol<Message> {
  readonly protocols: ReadonlyArray<string>
  readonly schema: MessageSchema<Message>
  readonly control: ControlMessages
}

/**
 * Options for a server whose messages are JSON objects with a `type`, and which keeps its connections alive with three
 * of them:
 *
 * - `{ "type": "heartbeat", "timestamp": 1764446400000 }` is sent each `pingInterval` and needs no reply
 * - `{ "type": "ping", "id": "7" }` is answered with `{ "type": "pong", "id": "7" }`, in both directions; each ping has an
 *   id of its own, and only its pong counts
 *
 * They are no messages of the application: `messages` is the schema of those alone, and no reader or borrower sees the
 * others. `protocol` is the subprotocol that is offered, none by default.
 *
 * ```ts
 * import { WebSocketPool, WebSocketProtocol } from "@effect-pools/websocket"
 * import { Schema } from "effect"
 *
 * const Said = Schema.Struct({ type: Schema.Literal("said"), text: Schema.String })
 *
 * class Realtime extends WebSocketPool.Service<Realtime, typeof Said.Type>()("app/Realtime") {}
 *
 * const live = Realtime.layer({
 *   url: "wss://chat.example.com/realtime",
 *   ...WebSocketProtocol.json({ messages: Said, protocol: "voice-terminal-protocol" })
 * })
 * ```
 *
 * @category protocols
 * @since 0.1.0
 */
export const json = <Message>(options: {
  readonly messages: Schema.Codec<Message, unknown>
  readonly protocol?: string | undefined
}): Protocol<Message> => ({
  protocols: options.protocol === undefined ? [] : [options.protocol],
  schema: Schema.fromJsonString(options.messages),
  control
})

const control: ControlMessages = {
  ping: (id) => JSON.stringify({ type: "ping", id }),
  heartbeat: (timestamp) => JSON.stringify({ type: "heartbeat", timestamp }),
  read: (frame) => mayBeControl(frame) ? Option.getOrUndefined(Option.map(parse(frame), controlOf)) : undefined
}

/** A longer text is no control message, so that none is parsed twice. */
const longest = 1024

const mayBeControl = (frame: RawMessage): frame is string =>
  typeof frame === "string" && frame.length <= longest && /"type"\s*:\s*"(?:ping|pong|heartbeat)"/.test(frame)

/** Servers number their pings as well as naming them. */
const Heard = Schema.Struct({
  type: Schema.Literals(["ping", "pong", "heartbeat"]),
  id: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite, Schema.Null]))
})

const parse = Schema.decodeUnknownOption(Schema.fromJsonString(Heard))

const controlOf = ({ id, type }: typeof Heard.Type): Control => {
  switch (type) {
    case "ping":
      return { _tag: "Ping", reply: JSON.stringify({ type: "pong", id }) }
    case "pong":
      return { _tag: "Pong", id: String(id) }
    case "heartbeat":
      return { _tag: "Heartbeat" }
  }
}

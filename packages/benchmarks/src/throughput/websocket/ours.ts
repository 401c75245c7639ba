/** The pool: many requests on each connection, or a connection to each. */
import { type WebSocketConfig, WebSocketPool } from "@effect-pools/websocket"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"
import { type Message, messageOf } from "./data.ts"

class Echo extends WebSocketPool.Service<Echo, Message>()("bench/Echo") {}

type Options = WebSocketConfig.WebSocketOptions<Message>

/** As the rivals do: JSON, not looked at. */
const unchecked = Schema.fromJsonString(Schema.Any)

const checked = Schema.fromJsonString(
  Schema.Struct({ id: Schema.optionalKey(Schema.String), number: Schema.Finite, text: Schema.String })
)

const correlation: Options["correlation"] = {
  withId: (message, id) => ({ ...message, id }),
  idOf: ({ id }) => id
}

const ours = (
  name: string,
  options: Pick<Options, "schema" | "correlation">,
  echo: (message: Message) => Effect.Effect<Message, unknown, Echo>
): Contender<Message> => ({
  name,
  isOurs: true,
  connections: poolSize,
  open: (url) =>
    effectClient(
      Echo.layerPoolOnly({ url, minConnections: poolSize, maxConnections: poolSize, ...options } as Options),
      (i) => echo(messageOf(i))
    )
})

export const shared: ReadonlyArray<Contender<Message>> = [
  ours("effect-pools", { schema: unchecked, correlation }, (message) => Echo.request(message)),
  ours("effect-pools checked", { schema: checked, correlation }, (message) => Echo.request(message))
]

export const exclusive: Contender<Message> = ours(
  "effect-pools",
  { schema: unchecked, correlation: undefined },
  (message) => Echo.withConnection((connection) => connection.request(message))
)

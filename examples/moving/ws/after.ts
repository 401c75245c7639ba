import { NodeRuntime } from "@effect/platform-node"
import { WebSocketPool } from "@effect-pools/websocket"
import { Config, Console, Effect, Schema } from "effect"

const Message = Schema.Struct({ id: Schema.optionalKey(Schema.String), text: Schema.String })
type Message = typeof Message.Type

class Chat extends WebSocketPool.Service<Chat, Message>()("app/Chat") {
  static readonly live = this.layerConfig({
    url: Config.Redacted("CHAT_URL"),
    maxConnections: 1,
    requestTimeout: "5 seconds",
    schema: Schema.fromJsonString(Message),
    correlation: {
      withId: (message: Message, id: string) => ({ ...message, id }),
      idOf: (message: Message) => message.id
    }
  })
}

const program = Effect.gen(function*() {
  const replies = yield* Effect.forEach(
    ["hello", "anybody there", "good-bye"],
    (text) => Chat.request({ text }),
    { concurrency: "unbounded" }
  )
  for (const { text } of replies) yield* Console.log(text)
})

program.pipe(Effect.provide(Chat.live), NodeRuntime.runMain)

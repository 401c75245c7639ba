/**
 * A chat over pooled WebSockets: typed messages, a request that waits for its own reply, and a stream of everything the
 * room says that goes on when connections are lost.
 */
import { NodeRuntime } from "@effect/platform-node"
import { WebSocketPool } from "@effect-pools/websocket"
import { Console, Effect, Fiber, Schema, Stream } from "effect"
import { startRoom } from "./room.ts"

const Message = Schema.Struct({
  type: Schema.Literals(["say", "said", "who", "present"]),
  id: Schema.optionalKey(Schema.String),
  text: Schema.optionalKey(Schema.String),
  count: Schema.optionalKey(Schema.Int)
})

class Chat extends WebSocketPool.Service<Chat, typeof Message.Type>()("app/Chat") {}

const program = Effect.gen(function*() {
  const room = yield* startRoom
  const live = Chat.layer({
    url: room.url,
    schema: Schema.fromJsonString(Message),
    minConnections: 1,
    maxConnections: 2,
    stableAfter: 0,
    correlation: {
      withId: (message, id) => ({ ...message, id }),
      idOf: (message) => message.type === "present" ? message.id : undefined
    }
  })
  yield* Effect.gen(function*() {
    const heard = yield* Chat.messages.pipe(
      Stream.take(3),
      Stream.map(({ message }) => message.text),
      Stream.runCollect,
      Effect.forkChild({ startImmediately: true })
    )
    const { count } = yield* Chat.request({ type: "who" })
    yield* Console.log(`in the room: ${count}`)
    yield* Chat.send({ type: "say", text: "hello" })
    yield* Chat.send({ type: "say", text: "anybody here?" })

    // The server ends every connection; the pool opens another, and the stream goes on.
    yield* Effect.sleep("100 millis")
    room.disconnectAll()
    yield* Effect.sleep("100 millis")
    yield* Chat.send({ type: "say", text: "I am back" })
    yield* Console.log("heard:", (yield* Fiber.join(heard)).join(" / "))
  }).pipe(Effect.provide(live))
})

program.pipe(Effect.scoped, NodeRuntime.runMain)

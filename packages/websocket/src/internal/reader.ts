/**
 * The streams of what comes in over all connections of a pool.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Inbound, InboundMessage } from "../WebSocketInbound.ts"
import type { Hub, Subscriber } from "./hub.ts"

export const inbound = <Message>(hub: Hub<Message>): Stream.Stream<Inbound<Message>> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => hub.subscribe()),
        (subscriber) => Effect.sync(() => hub.unsubscribe(subscriber))
      ),
      (subscriber) =>
        Stream.fromPull(Effect.succeed(Effect.map(subscriber.inbox.take, (items) => {
          hub.resume()
          return subscriber.lost.size === 0 ? items : withGaps(subscriber, items)
        })))
    )
  )

/** The lost messages came before those that are still there. */
const withGaps = <Message>(
  { lost }: Subscriber<Message>,
  items: NonEmptyReadonlyArray<Inbound<Message>>
): NonEmptyReadonlyArray<Inbound<Message>> => {
  const gaps = Array.from(lost, ([connection, count]): Inbound<Message> => ({ _tag: "Dropped", connection, count }))
  lost.clear()
  return [...gaps, ...items] as unknown as NonEmptyReadonlyArray<Inbound<Message>>
}

export const messageOf = <Message>(item: Inbound<Message>): Result.Result<InboundMessage<Message>, void> =>
  item._tag === "Message" ? Result.succeed(item) : Result.failVoid

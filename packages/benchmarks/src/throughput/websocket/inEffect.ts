/** The same around `ws` as an Effect program would have it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"
import { correlate, nextMessage, openPool, openSockets } from "./bare.ts"
import { type Message, messageOf } from "./data.ts"

class Echo extends Context.Service<Echo, { readonly request: (message: Message) => Effect.Effect<Message, unknown> }>()(
  "bench/BareEcho"
) {}

const contender = (
  name: string,
  open: (url: string) => Promise<Echo["Service"] & { readonly close: () => Promise<unknown> }>
): Contender<Message> => ({
  name,
  isOurs: false,
  connections: poolSize,
  open: (url) =>
    effectClient(
      Layer.effect(
        Echo,
        Effect.acquireRelease(Effect.promise(() => open(url)), ({ close }) => Effect.promise(close))
      ),
      (i) => Effect.flatMap(Echo, ({ request }) => request(messageOf(i)))
    )
})

export const wsSharedInEffect: Contender<Message> = contender("ws in Effect", async (url) => {
  const { close, sockets } = await openSockets(url)
  const { forget, send } = correlate(sockets)
  const request = (message: Message) =>
    Effect.callback<Message>((resume) => {
      const id = send(message, (reply) => resume(Effect.succeed(reply)))
      return Effect.sync(() => forget(id))
    })
  return { request, close }
})

export const wsExclusiveInEffect: Contender<Message> = contender("ws in generic-pool in Effect", async (url) => {
  const { close, pool } = await openPool(url)
  const acquire = Effect.tryPromise(() => pool.acquire())
  const request = (message: Message) =>
    Effect.acquireUseRelease(
      acquire,
      (socket) =>
        Effect.callback<Message>((resume) => nextMessage(socket, message, (reply) => resume(Effect.succeed(reply)))),
      (socket) => Effect.sync(() => void pool.release(socket))
    )
  return { request, close }
})

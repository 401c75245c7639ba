import { assert, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpBody, HttpClientRequest } from "effect/http"

import * as Dial from "../../src/internal/dial.ts"
import type { Exchange } from "../../src/internal/exchange.ts"
import { SocketGone } from "../../src/internal/faults.ts"
import * as Runtime from "../../src/internal/runtime.ts"
import type { Wire } from "../../src/internal/wire.ts"

type Dispatch = Wire["dispatch"]

/** Connections whose requests are sent by these functions, one connection after the other. */
const dialerOf = (dispatches: ReadonlyArray<Dispatch>): typeof Dial.make => {
  let dialed = 0
  return (settings, shared) => (signals) => {
    let isOpen = true
    const dispatch = dispatches[dialed++]!
    const wire: Wire = {
      protocol: "HTTP/1.1",
      origin: settings.origin,
      address: "test",
      maxStreams: 1,
      isOpen: () => isOpen,
      bytesRead: () => 0,
      dispatch: (job, exchange) => {
        isOpen = dispatch !== unsent
        dispatch(job, exchange)
      }
    }
    return Dial.connectionOf(wire, settings, shared, signals)
  }
}

const unsent: Dispatch = (_, exchange) => exchange.onResponseError(undefined, new SocketGone())

const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }

const echo: Dispatch = ({ outgoing }, exchange) => {
  exchange.onRequestStart(controller)
  void answer(outgoing.body as unknown as AsyncIterable<Uint8Array>, exchange)
}

const answer = async (body: AsyncIterable<Uint8Array>, exchange: Exchange): Promise<void> => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of body) chunks.push(chunk)
  exchange.onResponseStart(undefined, 200, {})
  exchange.onResponseData(controller, Buffer.concat(chunks))
  exchange.onResponseEnd()
}

it.live("a streamed body whose request met a closed connection is sent whole over the next", () =>
  Effect.gen(function*() {
    const options = { origin: "http://test", minConnections: 0, metrics: false }
    const { execute } = Runtime.runtimes.of(yield* Runtime.make("test", options, dialerOf([unsent, echo])))!
    const chunks = Stream.make("hel", "lo").pipe(Stream.encodeText)
    const request = HttpClientRequest.post("/").pipe(HttpClientRequest.setBody(HttpBody.stream(chunks)))
    const response = yield* execute(request)
    assert.strictEqual(yield* response.text, "hello")
  }).pipe(Effect.scoped))

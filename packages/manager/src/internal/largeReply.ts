/**
 * Answers that grow with the number of pools: written a piece at a time, and compressed for who takes that.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { gzip } from "node:zlib"
import { uncached } from "./reply.ts"

/** After so many items the others in the program get their turn. */
const itemsAtOnce = 5

/** The JSON of `head` with one more property, a list of what is made of each item. */
export const jsonWithList = <Item, E, R>(
  head: object,
  property: string,
  items: ReadonlyArray<Item>,
  make: (item: Item) => Effect.Effect<unknown, E, R>
): Effect.Effect<string, E, R> =>
  Effect.gen(function*() {
    const texts: Array<string> = []
    for (const [index, item] of items.entries()) {
      if (index > 0 && index % itemsAtOnce === 0) yield* Effect.yieldNow
      texts.push(JSON.stringify(yield* make(item)))
    }
    const open = JSON.stringify(head).slice(0, -1)
    return `${open}${open === "{" ? "" : ","}${JSON.stringify(property)}:[${texts.join(",")}]}`
  })

/** Below this, in characters, compressing gains nothing. */
const worthCompressing = 1400

export const large = (
  body: string,
  contentType: string
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const varying = { ...uncached, vary: "accept-encoding" }
    if (body.length < worthCompressing || !takesGzip(headers["accept-encoding"] ?? "")) {
      return HttpServerResponse.text(body, { contentType, headers: varying })
    }
    return HttpServerResponse.uint8Array(yield* compressed(body), {
      contentType,
      headers: { ...varying, "content-encoding": "gzip" }
    })
  })

const takesGzip = (accepted: string): boolean => {
  const coding = accepted.split(",").map((part) => part.trim().toLowerCase()).find((part) => /^(x-)?gzip\b/.test(part))
  return coding !== undefined && !/;\s*q=0(\.0*)?$/.test(coding)
}

/** Beside the event loop. */
const compressed = (body: string): Effect.Effect<Uint8Array> =>
  Effect.callback((resume) =>
    gzip(body, (error, result) => resume(error === null ? Effect.succeed(result) : Effect.die(error)))
  )

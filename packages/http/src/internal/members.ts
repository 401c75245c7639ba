/**
 * The members of an HTTP pool beyond lending: requests.
 */
import { type Operations, shared } from "@effect-pools/core/PoolService"
import type { PoolError } from "@effect-pools/core/PoolError"
import type * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Client from "./client.ts"
import * as Runtime from "./runtime.ts"

type Response = Effect.Effect<HttpClientResponse, HttpClientError | PoolError>

const request = (pool: Runtime.Pool, request: HttpClientRequest.HttpClientRequest): Response => {
  const runtime = Runtime.runtimes.ofPristine(pool)
  if (runtime !== undefined) return runtime.execute(request)
  const prepare = Runtime.runtimes.of(pool)?.prepare
  return prepare === undefined
    // A test's double, whose responses need no connection once they are there.
    ? shared(pool, (client) => client.execute(request))
    : Client.overPool(prepare, Client.holding((f) => shared(pool, f)))(request)
}

const send = (method: HttpMethod) => {
  const make = HttpClientRequest.make(method)
  // Most requests are no more than a URL, which needs only one step from here.
  const blank = make("")
  return (pool: Runtime.Pool, url: string | URL, options?: HttpClientRequest.Options.NoUrl): Response =>
    request(pool, options === undefined ? HttpClientRequest.setUrl(blank, url) : make(url, options))
}

export const operations: Operations<Runtime.Pool> = {
  methods: {
    request,
    get: send("GET"),
    post: send("POST"),
    put: send("PUT"),
    patch: send("PATCH"),
    del: send("DELETE"),
    head: send("HEAD")
  }
}

/**
 * A pool whose connections are answered by a function.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import { quiet } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Cause from "effect/Cause"
import * as Cookies from "effect/http/Cookies"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Scope from "effect/Scope"
import type { HttpOptions } from "../HttpConfig.ts"
import type { Wire } from "./wire.ts"
import * as Dial from "./dial.ts"
import type { Exchange, Flow } from "./exchange.ts"
import type { Job } from "./job.ts"
import type { Handler } from "./model.ts"
import * as Runtime from "./runtime.ts"

export const make = (
  id: string,
  handler: Handler,
  options: Partial<HttpOptions>
): Effect.Effect<Runtime.Pool, PoolError, Scope.Scope> =>
  Effect.flatMap(FiberSet.makeRuntime<never, void, never>(), (run) => {
    const dialer: typeof Dial.make = (settings, shared) => {
      return (signals) => Dial.connectionOf(wireOf(settings.origin, handler, run), settings, shared, signals)
    }
    const where = options.upstreams === undefined ? { origin: "http://scripted" } : {}
    return Runtime.make(id, { ...quiet, ...where, ...options }, dialer)
  })

type Run = (effect: Effect.Effect<void>) => { readonly interruptUnsafe: () => void }

const wireOf = (origin: string, handler: Handler, run: Run): Wire => ({
  protocol: "HTTP/1.1",
  origin,
  address: "scripted",
  maxStreams: 1,
  isOpen: () => true,
  bytesRead: () => 0,
  dispatch: (job, exchange) => {
    let answering: ReturnType<Run> | undefined
    exchange.onRequestStart({ ...flow, abort: () => answering?.interruptUnsafe() })
    exchange.onRequestSent()
    // It may answer at once.
    answering = run(answer(origin, handler, job, exchange))
  }
})

const flow: Flow = { abort: () => {}, pause: () => {}, resume: () => {} }

const answer = (origin: string, handler: Handler, job: Job, exchange: Exchange): Effect.Effect<void> => {
  const { outgoing } = job
  // With the headers of the pool, as a server would see it.
  const request = HttpClientRequest.setHeaders(
    HttpClientRequest.setUrl(job.request, origin + outgoing.path),
    outgoing.headers
  )
  return Effect.map(Effect.exit(Effect.suspend(() => respond(request, handler))), (exit) => {
    if (Exit.isFailure(exit)) return exchange.onResponseError(undefined, Cause.squash(exit.cause))
    const { body, response } = exit.value
    const cookies = Cookies.toSetCookieHeaders(response.cookies)
    // The headers of Effect hold one of several cookies.
    const headers = cookies.length === 0 ? { ...response.headers } : { ...response.headers, "set-cookie": cookies }
    exchange.onResponseStart(undefined, response.status, headers)
    if (body.byteLength > 0) exchange.onResponseData(flow, new Uint8Array(body))
    exchange.onResponseEnd()
  })
}

interface Answer {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly body: ArrayBuffer
}

const respond = (
  request: HttpClientRequest.HttpClientRequest,
  handler: Handler
): Effect.Effect<Answer, HttpClientError> => {
  const given = handler(request)
  return Effect.flatMap(Effect.isEffect(given) ? given : Effect.succeed(given), (given) => {
    const response = given instanceof globalThis.Response ? HttpClientResponse.fromWeb(request, given) : given
    if (!isResponse(response)) return Effect.die(new TypeError(rule))
    return Effect.map(response.arrayBuffer, (body) => ({ response, body }))
  })
}

const isResponse = (given: unknown): boolean =>
  typeof given === "object" && given !== null && HttpClientResponse.TypeId in given

const rule = "layerTest: the function must return a Response, an HttpClientResponse or an Effect of one"

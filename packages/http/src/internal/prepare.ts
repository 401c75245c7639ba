/**
 * Makes of a request what is sent: its place at the origin, its headers with those of the pool, its body.
 */
import * as ServerText from "@effect-pools/core/ServerText"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Url from "effect/http/Url"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type Failure, type Job, transportError } from "./job.ts"
import * as RequestBody from "./requestBody.ts"
import type { HttpSettings } from "./settings.ts"

/** Where a request goes: an origin, and the path there with its query. */
interface Target {
  readonly origin: string
  readonly path: string
}

/** What the requests of a pool have in common, whatever its origin. */
export type Common = Pick<HttpSettings, "basePath" | "headers" | "credentials">

type Request = HttpClientRequest.HttpClientRequest
type AnyFiber = Fiber.Fiber<unknown, unknown>

export class Prepare {
  /** The origins that requests may name; `undefined` allows all. */
  private readonly origins: ReadonlyArray<string> | undefined
  private readonly basePath: string
  /** What goes before relative URLs to make them absolute. */
  private readonly base: string
  private readonly credentials: HttpSettings["credentials"]
  /** A function, so that no inspection of anything that holds this shows a secret. */
  private readonly defaults: () => Readonly<Record<string, string>>

  constructor(settings: Common, origins: ReadonlyArray<string> | undefined) {
    this.origins = origins
    this.basePath = settings.basePath
    this.base = (origins?.[0] ?? "") + settings.basePath
    this.credentials = settings.credentials
    const defaults = Redacted.value(settings.headers)
    this.defaults = () => defaults
  }

  /** The request with an absolute URL. */
  absolute(request: Request): Result.Result<Request, Failure> {
    const { url } = request
    if (isAbsolute(url)) return Result.succeed(request)
    if (this.origins === undefined) return refuse(request, "the URL must be absolute")
    const absolute = this.base + rooted(url)
    const isOut = this.basePath !== "" && !isPlain(url) && URL.canParse(absolute) &&
      !isBelow(new URL(absolute).pathname, this.basePath)
    return isOut
      ? refuse(request, `the URL leads out of basePath (${this.basePath})`)
      : Result.succeed(HttpClientRequest.setUrl(request, absolute))
  }

  target(request: Request): Result.Result<Target, Failure> {
    const { url } = request
    const origin = this.origins?.[0]
    if (origin !== undefined && isPlain(url) && request.urlParams.params.length === 0) {
      return Result.succeed({ origin, path: this.basePath + url })
    }
    return Result.flatMap(this.absolute(request), ({ url }) => {
      const parsed = Url.make(url, request.urlParams, Option.getOrUndefined(request.hash))
      return Result.isFailure(parsed) ? refuse(request, "it is no URL") : this.locate(request, parsed.success)
    })
  }

  /** Where an absolute URL leads, if the pool serves it. */
  locate(request: Request, url: URL): Result.Result<Target, Failure> {
    if (url.username !== "" || url.password !== "") {
      // Not with its URL, which errors and logs would show.
      return refuse(HttpClientRequest.setUrl(request, url.origin), "credentials belong in a header, not in the URL")
    }
    if (this.origins === undefined) {
      if (!/^https?:$/.test(url.protocol)) return refuse(request, "only http: and https: are spoken")
    } else if (!this.origins.includes(url.origin)) {
      return refuse(request, `the pool serves ${this.origins.join(", ")} only`)
    }
    return Result.succeed({ origin: url.origin, path: url.pathname + url.search })
  }

  job(request: Request, target: Target, signal: AbortSignal | undefined, fiber: AnyFiber): Effect.Effect<Job, Failure> {
    if (this.credentials === undefined) {
      const defaults = this.defaults()
      const headers = request.headers === Headers.empty ? defaults : { ...defaults, ...request.headers }
      return Effect.succeed(jobOf(request, target, headers, signal, fiber))
    }
    return Effect.map(obtain(this.credentials, request), (credentials) => {
      const own: Record<string, string> = { ...this.defaults() }
      for (const [name, value] of Object.entries(credentials)) {
        own[name.toLowerCase()] = typeof value === "string" ? value : Redacted.value(value)
      }
      return jobOf(request, target, { ...own, ...request.headers }, signal, fiber)
    })
  }
}

const refuse = (request: Request, description: string): Result.Result<never, Failure> =>
  Result.fail(
    new HttpClientError.HttpClientError({ reason: new HttpClientError.InvalidUrlError({ request, description }) })
  )

const isAbsolute = (url: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(url)

/** A relative URL that needs no parsing, because parsing would change nothing in it. */
const isPlain = (url: string): boolean => url.startsWith("/") && !/[^!$-;=?-_a-z~]|\/\.|\/%2e|\\/i.test(url)

const isBelow = (path: string, base: string): boolean => path === base || path.startsWith(`${base}/`)

const rooted = (url: string): string => url === "" || url.startsWith("/") || url.startsWith("?") ? url : `/${url}`

const jobOf = (
  request: Request,
  { origin, path }: Target,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
  fiber: AnyFiber
): Job => {
  const body = RequestBody.make(request.body, fiber.context)
  return {
    request,
    origin,
    outgoing: {
      method: request.method,
      path,
      // A form makes its own type, with its own boundary.
      headers: request.body._tag === "FormData" ? withoutType(headers) : headers,
      body: body.content,
      length: body.length
    },
    isReplayable: body.isReplayable,
    stop: body.stop,
    isBodyAwaited: body.isAwaited,
    signal
  }
}

const withoutType = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-type"))

const obtain = (
  credentials: NonNullable<HttpSettings["credentials"]>,
  request: Request
): Effect.Effect<Readonly<Record<string, string | Redacted.Redacted>>, Failure> =>
  // Only the message is passed on: what else an error of a secrets store holds is not known here.
  Effect.catchCause(credentials, (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.failCause(cause as Cause.Cause<never>)
      : Effect.fail(
        transportError(request, new Error(`no credentials could be obtained: ${said(Cause.squash(cause))}`))
      ))

const said = (error: unknown): string => ServerText.messageOf(error, "it failed")

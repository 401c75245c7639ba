/**
 * Makes of a request what is sent: its place at the origin, its headers with those of the pool, its body.
 */
import { obtained } from "@effect-pools/core/Callback"
import * as ServerText from "@effect-pools/core/ServerText"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Url from "effect/http/Url"
import * as UrlParams from "effect/http/UrlParams"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as BasePath from "./basePath.ts"
import { GivenUp } from "./faults.ts"
import { type Failure, type Job, transportError } from "./job.ts"
import { valuesOf } from "./options.ts"
import * as RequestBody from "./requestBody.ts"
import type { ConnectionSettings } from "./settings.ts"

/** Where a request goes: an origin, and the path there with its query. */
interface Target {
  readonly origin: string
  readonly path: string
}

/** The things that the requests to an origin have in common. */
interface Common {
  readonly headers: Readonly<Record<string, string>>
  readonly credentials: ConnectionSettings["credentials"]
}

/** The common things by origin, or why they can't be told. */
export type CommonOf = (origin: string) => Result.Result<Common, unknown>

/** The same for each origin of a pool: they serve the same. */
const constant = ({ credentials, headers }: ConnectionSettings): CommonOf => {
  const common = Result.succeed({ credentials, headers: Redacted.value(headers) })
  return () => common
}

type Request = HttpClientRequest.HttpClientRequest
type AnyFiber = Fiber.Fiber<unknown, unknown>

export class Prepare {
  /** The origins that requests may name; `undefined` allows all. */
  private readonly origins: ReadonlyArray<string> | undefined
  private readonly basePath: string
  /** The beginning that makes relative URLs absolute. */
  private readonly base: string
  /** Whether queries may be in spans and errors. */
  readonly showQuery: boolean
  private readonly decompress: boolean
  /** A function, so that no inspection of anything that holds this shows a secret. */
  private readonly commonOf: CommonOf

  constructor(
    settings: ConnectionSettings,
    origins: ReadonlyArray<string> | undefined,
    commonOf: CommonOf = constant(settings)
  ) {
    this.origins = origins
    this.basePath = settings.basePath
    this.base = (origins?.[0] ?? "") + settings.basePath
    this.showQuery = settings.showQuery
    this.decompress = settings.decompress
    this.commonOf = commonOf
  }

  static isAbsolute(url: string): boolean {
    return /^[a-z][a-z0-9+.-]*:/i.test(url)
  }

  /** The request with an absolute URL. */
  absolute(request: Request): Result.Result<Request, Failure> {
    const { url } = request
    if (Prepare.isAbsolute(url)) return Result.succeed(request)
    if (this.origins === undefined) return this.refuse(request, "the URL must be absolute")
    return Result.succeed(HttpClientRequest.setUrl(request, this.base + rooted(url)))
  }

  target(request: Request): Result.Result<Target, Failure> {
    const { url } = request
    const origin = this.origins?.[0]
    if (origin !== undefined && isPlain(url) && request.urlParams.params.length === 0) {
      return Result.succeed({ origin, path: this.basePath + url })
    }
    return Result.flatMap(this.absolute(request), ({ url }) => {
      const parsed = Url.make(url, request.urlParams, Option.getOrUndefined(request.hash))
      return Result.isFailure(parsed) ? this.refuse(request, "it is no URL") : this.locate(request, parsed.success)
    })
  }

  /** Where an absolute URL leads, if the pool serves it. */
  locate(request: Request, url: URL): Result.Result<Target, Failure> {
    if (url.username !== "" || url.password !== "") {
      // Not with its URL, which errors and logs would show.
      const bare = HttpClientRequest.setUrl(request, url.origin)
      return this.refuse(bare, "credentials belong in a header, not in the URL")
    }
    if (this.origins === undefined) {
      if (!/^https?:$/.test(url.protocol)) return this.refuse(request, "only http: and https: are spoken")
    } else if (!this.origins.includes(url.origin)) {
      return this.refuse(request, `the pool serves ${this.origins.join(", ")} only`)
    } else if (BasePath.isLeft(this.basePath, url.pathname)) {
      return this.refuse(request, `the URL leads out of basePath (${this.basePath})`)
    }
    return Result.succeed({ origin: url.origin, path: url.pathname + url.search })
  }

  /** The request as errors, logs and the response hold it. */
  shown(request: Request): Request {
    const { hash, url, urlParams } = request
    if (this.showQuery || (urlParams.params.length === 0 && Option.isNone(hash) && !/[?#]/.test(url))) return request
    const [path = ""] = url.split(/[?#]/, 1)
    return HttpClientRequest.makeWith(
      request.method,
      path,
      UrlParams.empty,
      Option.none(),
      request.headers,
      request.body
    )
  }

  private jobOf(
    request: Request,
    { origin, path }: Target,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    fiber: AnyFiber
  ): Job {
    const body = RequestBody.make(request.body, fiber.context)
    return {
      request: this.shown(request),
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
      decompress: this.decompress,
      signal
    }
  }

  private refuse(request: Request, description: string): Result.Result<never, Failure> {
    const shown = this.shown(request)
    return Result.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.InvalidUrlError({ request: shown, description })
      })
    )
  }

  /** Makes the job, and does with it what is to be done. */
  job<A, E>(
    request: Request,
    target: Target,
    signal: AbortSignal | undefined,
    fiber: AnyFiber,
    send: (job: Job) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | Failure> {
    const common = this.commonOf(target.origin)
    if (Result.isFailure(common)) {
      return Effect.fail(unobtained(this.shown(request), "headers", ServerText.messageOf(common.failure, "it failed")))
    }
    const { credentials, headers } = common.success
    if (credentials === undefined) {
      const all = request.headers === Headers.empty ? headers : { ...headers, ...request.headers }
      return send(this.jobOf(request, target, all, signal, fiber))
    }
    const failed = (why: string) => unobtained(this.shown(request), "credentials", why)
    return Effect.flatMap(
      obtained(credentials, failed),
      (own) => send(this.jobOf(request, target, { ...headers, ...valuesOf(own), ...request.headers }, signal, fiber))
    )
  }
}

/** A relative URL that needs no parsing, because parsing would change nothing in it, and that leads nowhere else. */
const isPlain = (url: string): boolean =>
  url.startsWith("/") && !/[^!$-;=?-_a-z~]|\/\.|%2e|%2f|%5c|%25|\\|^\/\//i.test(url)

const rooted = (url: string): string => url === "" || url.startsWith("/") || url.startsWith("?") ? url : `/${url}`

const withoutType = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-type"))

const unobtained = (request: Request, what: string, why: string): Failure =>
  transportError(request, new GivenUp(`no ${what} could be obtained: ${why}`))

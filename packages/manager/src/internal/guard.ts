/**
 * The guard: checks before every route whether a caller may ask.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Origins } from "./origin.ts"
import { failure } from "./reply.ts"
import { TokenGate } from "./tokenGate.ts"

/** `open`: to everybody. `read`: where reading needs the token, with the token. `act`: with the token. */
export type Access = "open" | "read" | "act"

export interface GuardOptions {
  readonly token: Redacted.Redacted | undefined
  readonly reading: "open" | "token"
  readonly hosts: ReadonlyArray<string>
}

/** No request needs more. */
export const maxBodyBytes = 16 * 1024

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

export const guard = ({ hosts, reading, token }: GuardOptions) => {
  const origins = new Origins(hosts)
  const gate = token === undefined ? undefined : new TokenGate(Redacted.value(token))
  const refusal = ({ headers, originalUrl }: Request): Response | undefined => {
    if (!origins.isHostAllowed(headers["host"])) {
      return failure("forbidden", "the Host header names neither an address nor a host that is allowed")
    }
    if (origins.isFromElsewhere(headers)) return failure("forbidden", "the request comes from another origin")
    // The router takes it for the begin of a query: who means something else must not act on what is named before it.
    if (/^[^?#]*;/.test(originalUrl)) return failure("bad-request", "a ; in a path must be written as %3B")
    if (Number(headers["content-length"] ?? 0) > maxBodyBytes) {
      return failure("body-too-large", `the body is larger than ${maxBodyBytes} bytes`)
    }
    return undefined
  }
  const tokenRefusal = (request: Request): Effect.Effect<Response | undefined> =>
    gate === undefined
      ? Effect.succeed(withoutToken)
      : Effect.map(gate.check(request.headers["authorization"], clientOf(request)), (verdict) => {
        switch (verdict) {
          case "right":
            return undefined
          case "wrong":
            return withoutToken
          case "busy":
            return tooMany
        }
      })
  return <E, R>(
    access: Access,
    handler: Effect.Effect<Response, E, R>
  ): Effect.Effect<Response, E, R | Request> => {
    const needsToken = access === "act" || (access === "read" && reading === "token")
    return Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const refused = refusal(request) ?? (needsToken ? yield* tokenRefusal(request) : undefined)
      return refused ?? (yield* handler)
    })
  }
}

const withoutToken = failure("unauthorized", "the header Authorization: Bearer <token> is missing or wrong")

const tooMany = HttpServerResponse.setHeader(
  failure("too-many-attempts", "too many wrong tokens came from this address: try again in a moment"),
  "retry-after",
  "1"
)

/** The address of a caller: the other end of the socket, which may be a proxy. */
export const clientOf = ({ remoteAddress }: Request): string =>
  Option.getOrElse(remoteAddress, () => "an unknown address")

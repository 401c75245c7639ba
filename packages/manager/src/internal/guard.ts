/**
 * Who may ask: checked before every route.
 *
 * A page from elsewhere can make a browser send requests here. It can't read the answers, as nothing here allows that,
 * but by rebinding its own name to this address it would become the same origin. So `Host` must be an address,
 * `localhost` or a name that was allowed, and `Origin`, where a browser sends it, must be the same as `Host`.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import { isIP } from "node:net"
import { failure } from "./reply.ts"

/** `open`: to everybody. `read`: where reading needs the token, with the token. `act`: with the token. */
export type Access = "open" | "read" | "act"

export interface GuardOptions {
  readonly token: Redacted.Redacted | undefined
  readonly reading: "open" | "token"
  readonly hosts: ReadonlyArray<string>
}

/** No request needs more. */
export const maxBodyBytes = 16 * 1024

export const guard = ({ hosts, reading, token }: GuardOptions) => {
  const isToken = token === undefined ? () => false : comparedTo(Redacted.value(token))
  const allowed = new Set(["localhost", ...hosts.map((host) => host.toLowerCase())])
  const refusal = (
    { headers, originalUrl }: HttpServerRequest.HttpServerRequest,
    access: Access
  ): HttpServerResponse | undefined => {
    const { authorization, host, origin } = headers
    const name = hostname(host)
    if (name === undefined || !(isAddress(name) || allowed.has(name))) {
      return failure("forbidden", "the Host header names neither an address nor a host that is allowed")
    }
    // A link on another page may lead here.
    const isMadeElsewhere = headers["sec-fetch-site"] === "cross-site" && headers["sec-fetch-mode"] !== "navigate"
    if (isMadeElsewhere || isFromElsewhere(origin, host)) {
      return failure("forbidden", "the request comes from another origin")
    }
    // The router takes it for the begin of a query: who means something else must not act on what is named before it.
    if (/^[^?#]*;/.test(originalUrl)) return failure("bad-request", "a ; in a path must be written as %3B")
    if (Number(headers["content-length"] ?? 0) > maxBodyBytes) {
      return failure("body-too-large", `the body is larger than ${maxBodyBytes} bytes`)
    }
    const needsToken = access === "act" || (access === "read" && reading === "token")
    return needsToken && !isToken(authorization)
      ? failure("unauthorized", "the header Authorization: Bearer <token> is missing or wrong")
      : undefined
  }
  return <E, R>(
    access: Access,
    handler: Effect.Effect<HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const refused = refusal(request, access)
      return refused === undefined ? handler : Effect.succeed(refused)
    })
}

/** Digests have one length and tell nothing, so that the time of the comparison tells nothing of the token. */
const comparedTo = (token: string): (authorization: string | undefined) => boolean => {
  const expected = digest(token)
  return (authorization) =>
    timingSafeEqual(expected, digest(/^Bearer (.+)$/i.exec(authorization ?? "")?.[1] ?? "")) &&
    authorization !== undefined
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** The host of a `Host` header without its port, in lower case. */
const hostname = (host: string | undefined): string | undefined =>
  /^(\[[0-9a-f:.]+\]|[^:[\]/@]+)(?::\d+)?$/i.exec(host ?? "")?.[1]?.toLowerCase()

const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0

const isFromElsewhere = (origin: string | undefined, host: string | undefined): boolean =>
  origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`

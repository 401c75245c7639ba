/**
 * The options that an HTTP pool adds to those of every pool: the rule of each, its default, and what users should know of it.
 * The comments of `HttpOptions` are made of this table (`npm run options`), and so are the pages about them.
 */
import * as BalancedPool from "@effect-pools/core/BalancedPool"
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as Effect from "effect/Effect"
import type { HealthRequest as HealthRequestInput, HttpOptions, UpstreamInput } from "../HttpConfig.ts"
import { isHeaderValue } from "./headerValue.ts"
import * as Proxy from "./proxy.ts"

/** The options that are not the pool's. */
export type Own = OptionRules.Own<HttpOptions>

const path: OptionRules.Rule = {
  expects: "a path that begins with /",
  is: (value) => typeof value === "string" && /^\/[!-~]*$/.test(value) && !/[?#]/.test(value)
}

interface HealthRequestDefaults {
  readonly method: "HEAD" | "GET"
}

export type HealthRequest = OptionRules.Complete<HealthRequestInput, HealthRequestDefaults>

export const healthRequestTable: OptionRules.OwnTable<HealthRequestInput, HealthRequestDefaults> = {
  method: OptionRules.option(OptionRules.oneOf("HEAD", "GET"), {
    does: "The method. `\"HEAD\"` has no body.",
    default: "HEAD"
  }),
  path: OptionRules.option({
    expects: "a path that begins with /",
    is: (value) => typeof value === "string" && /^\/[!-~]*$/.test(value)
  }, {
    does: "The path at the origin, `basePath` not included, such as `/healthz`."
  })
}

const upstreamTable: OptionRules.OwnTable<UpstreamInput, { readonly weight: number }> = {
  origin: OptionRules.option(OptionRules.text, {
    does: "Scheme, host and port, such as `https://eu.api.example.com`."
  }),
  weight: OptionRules.option({
    expects: "a finite number above 0",
    is: (value) => typeof value === "number" && Number.isFinite(value) && value > 0
  }, {
    does: "Its share of the load beside the others, above 0.",
    default: 1,
    tooSmall: "it idles.",
    tooLarge: "the others do."
  })
}

const isUpstream = OptionRules.hasParts(upstreamTable, "origin")

/** Those with a default of their own; durations are in milliseconds. */
export interface Defaults {
  readonly decompress: boolean
  readonly showQuery: boolean
  /** 0 when `Retry-After` is not heeded. */
  readonly maxRetryAfter: number
  /** -1 without a limit. */
  readonly maxResponseSize: number
  readonly strategy: "powerOfTwoChoices"
  readonly userAgent: string
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly keepAliveMargin: number
  readonly maxHeaderSize: number
  readonly allowH2: boolean
  readonly maxConcurrentStreams: number
}

export const optionTable: OptionRules.OwnTable<Own, Defaults> = {
  origin: OptionRules.option(OptionRules.text, {
    does: "Scheme, host and port, such as `https://api.example.com`. A path goes into `basePath`."
  }),
  upstreams: OptionRules.option({
    expects: "a list of at least one { origin, weight? }",
    is: (value) => Array.isArray(value) && value.length > 0 && value.every(isUpstream)
  }, {
    does: "Several origins that serve the same: each has a pool of its own with the options given here, and each " +
      "request goes to one of them.",
    within: upstreamTable
  }),
  strategy: OptionRules.option(OptionRules.oneOf("roundRobin", "leastUsed", "powerOfTwoChoices"), {
    does: "How one of `upstreams` is chosen.",
    default: "powerOfTwoChoices"
  }),
  outlierEjection: OptionRules.option({
    expects: "an object or false",
    is: (value) => value === false || OptionRules.object.is(value)
  }, {
    within: BalancedPool.ejectionTable,
    does: "When one of `upstreams` is left out because its requests fail: connections lost, time limits, and the " +
      "statuses 500, 502, 503, 504 and 429. `false`: never."
  }),
  basePath: OptionRules.option(path, {
    does: "The beginning of the path of relative URLs, such as `/v1`. No URL, absolute ones neither, leads out of it."
  }),
  healthRequest: OptionRules.option({
    expects: "{ path, method? } with a path that begins with / and the method HEAD or GET",
    is: OptionRules.hasParts(healthRequestTable, "path")
  }, {
    does: "A request that must be answered with a status below 500 before a connection counts as proven: when it has " +
      "been dialled, as a part of `connectTimeout`; before a lease that finds it unproven for longer than " +
      "`freshnessWindow`; and at each `healthCheck`.",
    defaults:
      "By default nothing is sent: only the state of the socket is looked at, which costs no round trip and does " +
      "not find a server that hangs.",
    within: healthRequestTable
  }),
  headers: OptionRules.option(OptionRules.object, {
    does: "The headers of every request. What a request says itself goes before them."
  }),
  credentials: OptionRules.option({ expects: "an Effect that yields headers", is: Effect.isEffect }, {
    does: "Yields headers for each request anew, such as a token that expires. They go before those of the request. " +
      "Keep what is costly in a cache: the effect runs before each request is sent."
  }),
  userAgent: OptionRules.option({ expects: "a text", is: (value) => value !== "" && isHeaderValue(value) }, {
    does: "The header `user-agent`.",
    default: "effect-pools"
  }),
  headersTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "How long the head of a response may take once its request has gone out, and how long the server may take " +
      "nothing more of a request that has not. What the operating system has taken counts as gone out; a caller's " +
      "own body that pauses is waited for. A limit ends up to a quarter later than it says.",
    default: 30000,
    tooSmall: "slow answers are lost.",
    tooLarge: "a server that hangs holds connections."
  }),
  bodyTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "How long the body of a response may stand still, be it that nothing comes or that nobody reads what came: " +
      "then the request is given up and its connection closed.",
    default: 30000,
    tooSmall: "slow readers are cut off.",
    tooLarge: "a body that nobody reads holds its connection."
  }),
  keepAliveMargin: OptionRules.option(OptionRules.duration(0), {
    does: "How much earlier than the server would close it an idle connection is given up, where the server has said " +
      "by `Keep-Alive: timeout` when it will. At most half of what it said. Where it says nothing `idleTimeout` " +
      "is the limit: set it below that of the server.",
    default: 1000,
    tooSmall: "requests meet sockets that the server is closing."
  }),
  maxHeaderSize: OptionRules.option(OptionRules.count(1024), {
    does: "The largest head of a response, in bytes; over HTTP/2 each header counts 32 bytes more (RFC 9113, 6.5.2).",
    default: 16 * 1024,
    shows: "16 KiB",
    tooSmall: "answers with many cookies are lost.",
    tooLarge: "so much memory for each request."
  }),
  maxResponseSize: OptionRules.option(OptionRules.count(0), {
    does: "The largest body of a response, in bytes.",
    default: -1,
    defaults: "By default it is not limited: a streamed body needs no room.",
    tooSmall: "honest answers fail.",
    tooLarge: "who reads a body whole needs as much memory."
  }),
  allowH2: OptionRules.option(OptionRules.flag, {
    does: "Whether HTTP/2 is spoken with servers that offer it by TLS.",
    default: true
  }),
  maxConcurrentStreams: OptionRules.option(OptionRules.count(1), {
    does: "How many requests one HTTP/2 connection carries at once, as far as the server allows it.",
    default: 100,
    tooSmall: "more connections are opened.",
    tooLarge: "one lost connection fails many requests."
  }),
  tls: OptionRules.option(OptionRules.object, {
    does: "Options of `node:tls` for origins with `https`: whom to trust, a client's certificate, the server's name."
  }),
  decompress: OptionRules.option(OptionRules.flag, {
    does: "Whether compressed bodies are asked for (`accept-encoding: gzip, br`, unless a request says its own) and " +
      "handed on as they were before, without `content-encoding` and `content-length`. `maxResponseSize` and " +
      "Effect's `MaxBodySize` limit them before and after: a small answer may become a very large one.",
    default: false,
    defaults: "Default `false`: a body arrives as the server encoded it."
  }),
  showQuery: OptionRules.option(OptionRules.flag, {
    does: "Whether the query of a request may be in its span (`url.full`, `url.query`) and its errors. Keep it so " +
      "where logs and traces leave the house.",
    default: false,
    defaults: "Default `false`: queries hold tokens and names of people."
  }),
  proxy: OptionRules.option(Proxy.rule, {
    within: Proxy.table,
    does: "The proxy that connections go through: a URL, one for each scheme, or `\"environment\"` to read " +
      "`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. To an origin with TLS it opens a tunnel by `CONNECT`, and sees " +
      "nothing of what goes through; requests to one without TLS are sent to it with their whole URL. A user and " +
      "password in its URL go to the proxy alone.",
    defaults: "Default none: the environment of a process is not the program's own."
  }),
  maxRetryAfter: OptionRules.option(OptionRules.duration(0), {
    does: "How long at most the pool is paused because a server asks for it by `Retry-After` with status 429 or 503.",
    default: 0,
    defaults: "Default 0: it is not heeded, since such an answer may be meant for one kind of request only.",
    tooSmall: "a server that asks for peace gets none.",
    tooLarge: "one answer stops all requests for as long."
  })
}

/**
 * Checks the options of a WebSocket pool, and sorts them: what a connection needs, and what the pool itself does.
 */
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PoolConfig } from "@effect-pools/core/PoolConfig"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CloseVerdict, WebSocketOptions } from "./configModel.ts"
import { constants } from "node:buffer"
import * as Address from "./address.ts"
import type { ConnectionSettings } from "./settings.ts"

/** The options that are not the pool's. */
type Own = OptionRules.Own<WebSocketOptions<unknown>>

/** Time limits that are the pool's, in milliseconds. */
type Limits = Pick<PoolConfig, "closeTimeout" | "connectTimeout">

/** `name` is the pool's unless the options have one. */
export const check = <Message>(
  options: WebSocketOptions<Message>,
  name: string,
  limits: Limits
): Result.Result<OptionRules.Checked<ConnectionSettings<Message>>, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool } = yield* OptionRules.split(rules, options as unknown as WebSocketOptions<unknown>, name)
    if (own.url === undefined) return yield* OptionRules.refuse("url", "is needed")
    yield* noContradiction(own)
    const tls = yield* TlsOptions.seal("tls", own.tls)
    const connectTimeout = OptionRules.millisOf(options.connectTimeout) ?? limits.connectTimeout
    if ((OptionRules.millisOf(own.reconnectDelay) ?? 0) >= connectTimeout) {
      return yield* OptionRules.refuse("reconnectDelay", "must be shorter than connectTimeout, of which it is a part")
    }
    const closeTimeout = OptionRules.millisOf(options.closeTimeout) ?? limits.closeTimeout
    const settings = {
      ...settingsOf({ ...own, tls }, { closeTimeout, connectTimeout }),
      warnings: TlsOptions.warnings("tls", own.tls)
    }
    return { settings: settings as unknown as ConnectionSettings<Message>, pool }
  })

const settingsOf = (
  own: Own,
  { closeTimeout, connectTimeout }: Limits
): Omit<ConnectionSettings<unknown>, "warnings"> => {
  const pingInterval = OptionRules.millisOf(own.pingInterval) ??
    Math.max(30_000, OptionRules.millisOf(own.pongTimeout) ?? 0)
  return {
    url: own.url,
    protocols: own.protocols ?? [],
    headers: own.headers ?? {},
    tls: own.tls,
    pingInterval,
    pongTimeout: OptionRules.millisOf(own.pongTimeout) ?? Math.min(5000, pingInterval),
    keepAlive: own.keepAlive,
    control: own.control,
    maxPayload: own.maxPayload ?? 1024 * 1024,
    maxFragments: own.maxFragments ?? 16 * 1024,
    perMessageDeflate: own.perMessageDeflate ?? false,
    sendBufferLimit: own.sendBufferLimit ?? 1024 * 1024,
    sendPolicy: own.sendPolicy ?? "wait",
    sendTimeout: OptionRules.millisOf(own.sendTimeout) ?? 10_000,
    requestTimeout: OptionRules.millisOf(own.requestTimeout) ?? 30_000,
    inboundCapacity: own.inboundCapacity ?? 256,
    inboundPolicy: own.inboundPolicy ?? "suspend",
    schema: own.schema as ConnectionSettings<unknown>["schema"],
    correlation: own.correlation,
    sharing: own.sharing ?? 128,
    closeCodes: own.closeCodes ?? defaultVerdict(own),
    stableAfter: OptionRules.millisOf(own.stableAfter) ?? 5000,
    reconnectDelay: OptionRules.millisOf(own.reconnectDelay) ?? Math.min(2000, connectTimeout / 2),
    maxRetryAfter: OptionRules.millisOf(own.maxRetryAfter) ?? 60_000,
    onOpen: own.onOpen,
    goodbyeTimeout: closeTimeout / 2
  }
}

const unwelcome = new Set([1008, 1010, 4001, 4003, 4401, 4403])

const defaultVerdict = ({ headers, url }: Own): (code: number) => CloseVerdict =>
  Effect.isEffect(url) || Effect.isEffect(headers)
    ? () => "reconnect"
    : (code) => unwelcome.has(code) ? "never" : "reconnect"

const functions = (...names: ReadonlyArray<string>): OptionRules.Rule => ({
  expects: `an object with ${names.join(" and ")}`,
  is: (value) =>
    OptionRules.object.is(value) &&
    names.every((name) => OptionRules.callable.is((value as Record<string, unknown>)[name]))
})

const isText = (value: unknown): boolean => typeof value === "string" || OptionRules.secret.is(value)

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const reserved =
  /^(sec-websocket-.*|host|connection|upgrade|keep-alive|transfer-encoding|content-length|expect|te|trailer)$/i

export const headersRule =
  "an object of texts of one line, plain or Redacted, without the headers of the connection and the handshake themselves"

export const areHeaders = (value: unknown): boolean =>
  OptionRules.object.is(value) &&
  Object.entries(value as object).every(([name, text]) => token.test(name) && !reserved.test(name) && isLine(text))

const isLine = (value: unknown): boolean => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof text === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
}

/** A longer message could not become a text. */
const longestText = constants.MAX_STRING_LENGTH

/** The rule of each option. The table is also the list of the options that are not the pool's. */
const rules: OptionRules.Rules<Own> = {
  url: {
    expects: "a text, a Redacted text or an Effect that yields one",
    is: (value) => Effect.isEffect(value) || isText(value)
  },
  protocols: {
    expects: "a list of different protocol names",
    is: (value) =>
      Array.isArray(value) && new Set(value).size === value.length &&
      value.every((name) => typeof name === "string" && token.test(name))
  },
  headers: {
    expects: `${headersRule}, or an Effect that yields one`,
    is: (value) => Effect.isEffect(value) || areHeaders(value)
  },
  tls: OptionRules.object,
  pingInterval: OptionRules.duration(1),
  pongTimeout: OptionRules.duration(1),
  keepAlive: {
    expects: "an object with message and isReply",
    is: (value) => functions("isReply").is(value) && (value as Record<string, unknown>)["message"] !== undefined
  },
  control: {
    expects: "an object with ping and read, and heartbeat if there is one",
    is: (value) =>
      functions("ping", "read").is(value) &&
      ["function", "undefined"].includes(typeof (value as Record<string, unknown>)["heartbeat"])
  },
  maxPayload: OptionRules.count(1, longestText),
  maxFragments: OptionRules.count(1, 0x7fffffff),
  perMessageDeflate: OptionRules.flag,
  sendBufferLimit: OptionRules.count(1, 0x7fffffff),
  sendPolicy: OptionRules.oneOf("wait", "fail"),
  sendTimeout: OptionRules.duration(1),
  requestTimeout: OptionRules.duration(1),
  inboundCapacity: OptionRules.count(1, 1_000_000),
  inboundPolicy: OptionRules.oneOf("suspend", "dropOldest", "close"),
  schema: { expects: "a Schema", is: Schema.isSchema },
  correlation: {
    expects: "an object with withId and idOf, and maybe idOfFrame, which are functions",
    is: (value) => {
      if (!functions("withId", "idOf").is(value)) return false
      const { idOfFrame } = value as Record<string, unknown>
      return idOfFrame === undefined || typeof idOfFrame === "function"
    }
  },
  sharing: OptionRules.count(1, 10_000),
  closeCodes: OptionRules.callable,
  stableAfter: OptionRules.duration(0),
  reconnectDelay: OptionRules.duration(0),
  maxRetryAfter: OptionRules.duration(0),
  onOpen: OptionRules.callable
}

const noContradiction = (own: Own): Result.Result<void, InvalidOption> => {
  const pingInterval = OptionRules.millisOf(own.pingInterval)
  const pongTimeout = OptionRules.millisOf(own.pongTimeout)
  if (pingInterval !== undefined && pongTimeout !== undefined && pongTimeout > pingInterval) {
    return OptionRules.refuse("pongTimeout", "must not exceed pingInterval")
  }
  if (own.control !== undefined && own.keepAlive !== undefined) {
    return OptionRules.refuse("keepAlive", "has no effect with control, whose pings take its place")
  }
  if (Effect.isEffect(own.url)) return Result.succeed(undefined)
  const url = Address.parse(own.url)
  if (Result.isFailure(url)) return OptionRules.refuse("url", url.failure)
  if (own.tls !== undefined && url.success.protocol === "ws:") {
    return OptionRules.refuse("tls", "has no effect for a ws:// url")
  }
  return Result.succeed(undefined)
}

/**
 * Checks the options of a WebSocket pool, and sorts them: what a connection needs, and what the pool itself does.
 */
import type { PoolOptions } from "@effect-pools/core/PoolConfig"
import { InvalidOption } from "@effect-pools/core/PoolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CloseVerdict, WebSocketOptions } from "../WebSocketConfig.ts"
import { constants } from "node:buffer"
import * as Address from "./address.ts"
import type { Settings } from "./settings.ts"

/** The options that are not the pool's. */
type Own = Omit<WebSocketOptions<unknown>, keyof PoolOptions>

export interface Checked<Message> {
  readonly settings: Settings<Message>
  /** Not checked yet: the pool does that, and refuses what is unknown to both. */
  readonly pool: PoolOptions
}

/** `name` is the pool's unless the options have one. */
export const check = <Message>(
  options: WebSocketOptions<Message>,
  name: string,
  closeTimeout: number
): Result.Result<Checked<Message>, InvalidOption> =>
  Result.gen(function*() {
    const own = yield* ownOf(options)
    if (own.url === undefined) return yield* refuse("url", "is needed")
    yield* noContradiction(own)
    const pool: Record<string, unknown> = Object.fromEntries(
      Object.entries(options).filter(([option]) => !Object.hasOwn(own, option))
    )
    pool["name"] = options.name ?? name
    const settings = settingsOf(own, millisOf(options.closeTimeout) ?? closeTimeout)
    return { settings: settings as unknown as Settings<Message>, pool }
  })

const settingsOf = (own: Own, closeTimeout: number): Settings<unknown> => {
  const pingInterval = millisOf(own.pingInterval) ?? Math.max(30_000, millisOf(own.pongTimeout) ?? 0)
  return {
    url: own.url,
    protocols: own.protocols ?? [],
    headers: own.headers ?? {},
    tls: own.tls,
    pingInterval,
    pongTimeout: millisOf(own.pongTimeout) ?? Math.min(5000, pingInterval),
    keepAlive: own.keepAlive,
    maxPayload: own.maxPayload ?? 1024 * 1024,
    perMessageDeflate: own.perMessageDeflate ?? false,
    sendBufferLimit: own.sendBufferLimit ?? 1024 * 1024,
    sendPolicy: own.sendPolicy ?? "wait",
    sendTimeout: millisOf(own.sendTimeout) ?? 10_000,
    requestTimeout: millisOf(own.requestTimeout) ?? 30_000,
    inboundCapacity: own.inboundCapacity ?? 256,
    inboundPolicy: own.inboundPolicy ?? "suspend",
    schema: own.schema as Settings<unknown>["schema"],
    correlation: own.correlation,
    sharing: own.sharing ?? 128,
    closeCodes: own.closeCodes ?? defaultVerdict(own),
    stableAfter: millisOf(own.stableAfter) ?? 5000,
    onOpen: own.onOpen,
    goodbyeTimeout: closeTimeout / 2
  }
}

const unwelcome = new Set([1008, 1010, 4001, 4003, 4401, 4403])

const defaultVerdict = ({ headers, url }: Own): (code: number) => CloseVerdict =>
  Effect.isEffect(url) || Effect.isEffect(headers)
    ? () => "reconnect"
    : (code) => unwelcome.has(code) ? "never" : "reconnect"

type Rule = readonly [expects: string, is: (value: unknown) => boolean]

const flag: Rule = ["true or false", (value) => typeof value === "boolean"]
const object: Rule = ["an object", (value) => typeof value === "object" && value !== null]
const callable: Rule = ["a function", (value) => typeof value === "function"]
const count = (minimum: number, maximum: number): Rule => [
  `an integer from ${minimum} to ${maximum}`,
  (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
]
const duration = (minimum: number): Rule => [
  `a finite duration of at least ${minimum} ms`,
  (value) => {
    const millis = millisOf(value)
    return millis !== undefined && millis >= minimum && millis <= 0x7fffffff
  }
]
const oneOf = (...values: ReadonlyArray<unknown>): Rule => [
  values.map((value) => JSON.stringify(value)).join(" or "),
  (value) => values.includes(value)
]
const functions = (...names: ReadonlyArray<string>): Rule => [
  `an object with ${names.join(" and ")}`,
  (value) => object[1](value) && names.every((name) => callable[1]((value as Record<string, unknown>)[name]))
]

const isText = (value: unknown): boolean =>
  typeof value === "string" || (Redacted.isRedacted(value) && typeof Redacted.value(value) === "string")

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const reserved = /^(sec-websocket-.*|connection|upgrade)$/i

export const headersRule = "an object of texts, plain or Redacted, without the headers of the handshake itself"

export const areHeaders = (value: unknown): boolean =>
  object[1](value) &&
  Object.entries(value as object).every(([name, text]) => token.test(name) && !reserved.test(name) && isText(text))

/** A longer message could not become a text. */
const longestText = constants.MAX_STRING_LENGTH

/** What each option must be. The table is also the list of the options that are not the pool's. */
const rules: Readonly<Record<keyof Own, Rule>> = {
  url: ["a text, a Redacted text or an Effect that yields one", (value) => Effect.isEffect(value) || isText(value)],
  protocols: [
    "a list of different protocol names",
    (value) =>
      Array.isArray(value) && new Set(value).size === value.length &&
      value.every((name) => typeof name === "string" && token.test(name))
  ],
  headers: [`${headersRule}, or an Effect that yields one`, (value) => Effect.isEffect(value) || areHeaders(value)],
  tls: object,
  pingInterval: duration(1),
  pongTimeout: duration(1),
  keepAlive: [
    "an object with message and isReply",
    (value) => functions("isReply")[1](value) && (value as Record<string, unknown>)["message"] !== undefined
  ],
  maxPayload: count(1, longestText),
  perMessageDeflate: flag,
  sendBufferLimit: count(1, 0x7fffffff),
  sendPolicy: oneOf("wait", "fail"),
  sendTimeout: duration(1),
  requestTimeout: duration(1),
  inboundCapacity: count(1, 1_000_000),
  inboundPolicy: oneOf("suspend", "dropOldest", "close"),
  schema: ["a Schema", Schema.isSchema],
  correlation: functions("withId", "idOf"),
  sharing: count(1, 10_000),
  closeCodes: callable,
  stableAfter: duration(0),
  onOpen: callable
}

const ownOf = (options: object): Result.Result<Own, InvalidOption> => {
  const own: Record<string, unknown> = {}
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, option)) continue
    const [expects, is] = rules[option as keyof Own]
    own[option] = value
    // The value is not shown: it may be a secret given to the wrong option.
    if (value !== undefined && !is(value)) return refuse(option, `must be ${expects}`)
  }
  return Result.succeed(own as unknown as Own)
}

const refuse = (option: string, rule: string): Result.Result<never, InvalidOption> =>
  Result.fail(new InvalidOption({ option, rule }))

const noContradiction = (own: Own): Result.Result<void, InvalidOption> => {
  const pingInterval = millisOf(own.pingInterval)
  const pongTimeout = millisOf(own.pongTimeout)
  if (pingInterval !== undefined && pongTimeout !== undefined && pongTimeout > pingInterval) {
    return refuse("pongTimeout", "must not exceed pingInterval")
  }
  if (Effect.isEffect(own.url)) return Result.succeed(undefined)
  const url = Address.parse(own.url)
  if (Result.isFailure(url)) return refuse("url", url.failure)
  if (own.tls !== undefined && url.success.protocol === "ws:") return refuse("tls", "has no effect for a ws:// url")
  return Result.succeed(undefined)
}

const millisOf = (input: unknown): number | undefined =>
  Option.getOrUndefined(Option.map(Duration.fromInput(input as Duration.Input), Duration.toMillis))

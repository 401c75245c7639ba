/**
 * The options that a WebSocket pool adds to those of every pool: the rule of each, its default, and what users should know of
 * it. The comments of `WebSocketOptions` are made of this table (`npm run options`), and so are the pages about them.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { constants } from "node:buffer"
import type {
  ControlMessages,
  Correlation,
  Headers,
  InboundPolicy,
  KeepAlive,
  SendPolicy,
  WebSocketOptions
} from "./configModel.ts"

/** The options that are not the pool's. */
export type Own = OptionRules.Own<WebSocketOptions<unknown>>

/** Those with a default of their own; durations are in milliseconds. */
export interface Defaults {
  readonly protocols: ReadonlyArray<string>
  readonly headers: Headers | Effect.Effect<Headers, unknown>
  readonly pongTimeout: number
  readonly maxPayload: number
  readonly maxFragments: number
  readonly perMessageDeflate: boolean
  readonly sharing: number
  readonly stableAfter: number
  readonly reconnectDelay: number
  readonly maxRetryAfter: number
  readonly pingInterval: number
  readonly sendBufferLimit: number
  readonly sendPolicy: SendPolicy
  readonly sendTimeout: number
  readonly requestTimeout: number
  readonly inboundCapacity: number
  readonly inboundPolicy: InboundPolicy
}

/** Whether a value has all parts of a table but for those that may be absent. It may be more than them, such as a service. */
const has = (table: Readonly<Record<string, OptionRules.Rule>>, ...optional: ReadonlyArray<string>) =>
(
  value: unknown
): boolean =>
  OptionRules.object.is(value) && Object.entries(table).every(([part, rule]) => {
    const given = (value as Readonly<Record<string, unknown>>)[part]
    return given === undefined ? optional.includes(part) : rule.is(given)
  })

const keepAliveTable: OptionRules.OwnTable<KeepAlive<unknown>> = {
  message: OptionRules.option({ expects: "a message", is: (value) => value !== undefined }, {
    does: "The ping: a message of the pool's type."
  }),
  isReply: OptionRules.option(OptionRules.callable, { does: "Whether a message that arrived is the pong." })
}

const controlTable: OptionRules.OwnTable<ControlMessages> = {
  ping: OptionRules.option(OptionRules.callable, {
    does: "A ping that the server answers with the same id. Each has an id of its own."
  }),
  heartbeat: OptionRules.option(OptionRules.callable, {
    does: "Sent with each ping of the heartbeat, for a server that counts them; the time is in milliseconds since 1970."
  }),
  read: OptionRules.option(OptionRules.callable, {
    does: "Tells what a message is; `undefined` for a message of the application."
  })
}

const correlationTable: OptionRules.OwnTable<Correlation<unknown>> = {
  withId: OptionRules.option(OptionRules.callable, { does: "Puts the pool's id into a request." }),
  idOf: OptionRules.option(OptionRules.callable, {
    does: "Reads the id, as it was given to `withId`, out of a message that arrived; `undefined` if it is no reply."
  }),
  idOfFrame: OptionRules.option(OptionRules.callable, {
    does:
      "Reads the id out of a frame that the `schema` can't decode, so that its request fails at once with `DecodeFailed`.",
    defaults: "By default `idOf` is asked about the JSON of the text.",
    note:
      "Give it where the id of the encoded message stands elsewhere than that of the message, or frames are no JSON: " +
      "otherwise the request waits until `requestTimeout`."
  })
}

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

export const optionTable: OptionRules.OwnTable<Own, Defaults> = {
  url: OptionRules.option({
    expects: "a text, a Redacted text or an Effect that yields one",
    is: (value) => Effect.isEffect(value) || isText(value)
  }, {
    does:
      "`ws://` or `wss://`, or an effect that yields the one of the moment and is run for each dial. A URL with a " +
      "token in it belongs into a `Redacted`; no query is ever shown."
  }),
  protocols: OptionRules.option({
    expects: "a list of different protocol names",
    is: (value) =>
      Array.isArray(value) && new Set(value).size === value.length &&
      value.every((name) => typeof name === "string" && token.test(name))
  }, {
    does: "Subprotocols that are offered, the favourite first. A server that accepts none of them is refused.",
    default: [],
    defaults: "Default none."
  }),
  headers: OptionRules.option({
    expects: `${headersRule}, or an Effect that yields one`,
    is: (value) => Effect.isEffect(value) || areHeaders(value)
  }, {
    does: "Headers of the request that opens a connection, or an effect that yields those of the moment and is run " +
      "for each dial, so that credentials that rotate need no restart.",
    default: {}
  }),
  tls: OptionRules.option(OptionRules.object, {
    does: "Options of `node:tls`, such as whom to trust. The certificate of a `wss://` server is always verified by " +
      "default."
  }),
  pingInterval: OptionRules.option(OptionRules.duration(1), {
    does: "From one ping to the next.",
    default: 30000,
    tooSmall: "traffic for nothing.",
    tooLarge: "a dead peer is noticed late, and proxies drop connections that are silent, many after 60 s."
  }),
  pongTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "A connection on which nothing comes for so long after a ping is retired.",
    default: 5_000,
    defaults: "Default 5 s, at most `pingInterval`.",
    tooSmall: "slow lines look dead.",
    tooLarge: "callers wait on a dead connection."
  }),
  keepAlive: OptionRules.option({
    expects: "an object with message and isReply",
    is: has(keepAliveTable)
  }, {
    within: keepAliveTable,
    does: "A ping and pong of the application's own, for a server that ends connections without one. It takes the " +
      "place of the protocol's ping everywhere; its replies are nobody's messages.",
    defaults: "By default the protocol's ping is used."
  }),
  control: OptionRules.option({
    expects: "an object with ping and read, and heartbeat if there is one",
    is: has(controlTable, "heartbeat")
  }, {
    within: controlTable,
    does: "Pings with ids, heartbeats, and answers to the pings of the server, below the `schema`: what " +
      "`WebSocketProtocol.json` makes. Its pings take the place of the protocol's, and its messages are nobody's. " +
      "Not together with `keepAlive`."
  }),
  maxPayload: OptionRules.option(OptionRules.count(1, longestText), {
    does: "The largest message accepted, in bytes. A larger one ends its connection with code 1009.",
    default: 1024 * 1024,
    defaults: "Default 1 MiB, at most 512 MiB.",
    tooLarge: "one message takes the memory of the process."
  }),
  maxFragments: OptionRules.option(OptionRules.count(1, 0x7fffffff), {
    does: "The most fragments that one message may come in, at least 1. A message of more ends its connection with " +
      "code 1008.",
    default: 16 * 1024,
    defaults: "Default 16 384.",
    tooSmall: "a server that sends small pieces is cut off.",
    tooLarge:
      "each piece takes some 150 bytes of memory beside its own, so that a million of them take 150 MB, whatever " +
      "`maxPayload` says."
  }),
  perMessageDeflate: OptionRules.option(OptionRules.flag, {
    does: "Whether compression is offered to the server.",
    default: false,
    defaults:
      "Default `false`: it costs time and memory for each connection, and mixes secrets with what an attacker may " +
      "choose."
  }),
  sendBufferLimit: OptionRules.option(OptionRules.count(1, 0x7fffffff), {
    does:
      "How many bytes may wait to be sent on a connection before senders wait or fail. A larger message goes when " +
      "nothing else waits.",
    default: 1 * 1024 * 1024,
    shows: "1 MiB",
    tooSmall: "senders wait for each other.",
    tooLarge: "a slow server fills the memory."
  }),
  sendPolicy: OptionRules.option(OptionRules.oneOf("wait", "fail"), {
    does: "`\"wait\"`: at `sendBufferLimit` a sender waits for room. `\"fail\"`: it fails at once with `BufferFull`.",
    default: "wait"
  }),
  sendTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "How long a message may take to be handed to the network, the wait for room included.",
    default: 10000,
    tooSmall: "a slow line fails.",
    tooLarge: "senders hang on a server that does not read."
  }),
  requestTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "How long a request waits for its reply.",
    default: 30000,
    tooSmall: "slow replies are lost.",
    tooLarge: "callers hang on a server that never answers."
  }),
  inboundCapacity: OptionRules.option(OptionRules.count(1, 1_000_000), {
    does: "How many messages wait for each reader.",
    default: 256,
    tooSmall: "a burst stops the connection or loses messages.",
    tooLarge: "a reader that falls behind takes the memory, up to `maxPayload` a message."
  }),
  inboundPolicy: OptionRules.option(OptionRules.oneOf("suspend", "dropOldest", "close"), {
    does: "The policy when `inboundCapacity` messages wait. `\"suspend\"`: the connection is not read until a reader " +
      "has caught up, so that the server is slowed down; there are no pings meanwhile. `\"dropOldest\"`: the oldest " +
      "make room, and readers of `inbound` are told. `\"close\"`: the connection is closed with code 1008. One that " +
      "is being closed can't be slowed down: of what still comes then, a reader gets `inboundCapacity` more at " +
      "most.",
    default: "suspend"
  }),
  correlation: OptionRules.option({
    expects: "an object with withId and idOf, and maybe idOfFrame, which are functions",
    is: has(correlationTable, "idOfFrame")
  }, {
    within: correlationTable,
    does: "How replies are told from each other. Without it a request has a connection to itself, and the next " +
      "message is its reply."
  }),
  sharing: OptionRules.option(OptionRules.count(1, 10_000), {
    does: "How many callers may use one connection at once with `send` and `withShared`, and with `request` if there " +
      "is a `correlation`, when no connection is idle; while they take less than 2 ms on average, those that come " +
      "together fill a connection to the half before another is taken.",
    default: 128,
    defaults: "Default 128, at most 10 000.",
    tooSmall: "more connections are opened.",
    tooLarge: "one that is lost fails as many callers."
  }),
  closeCodes: OptionRules.option(OptionRules.callable, {
    does: "The consequence when the server closes a connection. `\"reconnect\"`: another is opened, see " +
      "`reconnectDelay`. `\"never\"`: the pool opens no connection any more, and tells its callers why. When `url` " +
      "or `headers` are effects, which may give other credentials the next time, the default is always " +
      "`\"reconnect\"`.",
    defaults:
      "By default `\"never\"` for 1008 and 1010 and, of the private codes, 4001, 4003, 4401 and 4403: the server " +
      "says that it does not want this client."
  }),
  stableAfter: OptionRules.option(OptionRules.duration(0), {
    does: "A connection that the server ends sooner counts as a dial that failed, so that the pool backs off, and " +
      "more with each in a row.",
    default: 5_000,
    defaults: "Default 5 s; 0 never does.",
    tooSmall: "a server that ends every connection is stormed.",
    tooLarge: "an honest restart is taken for a failure."
  }),
  reconnectDelay: OptionRules.option(OptionRules.duration(0), {
    does: "Over how long the dials after a loss are spread: each waits for a random part of it, so that the clients " +
      "of a server that restarts do not all come back at once (RFC 6455, 7.2.3). It concerns ends with 1001, " +
      "1006, 1011, 1012 and 1013; one with 1013 (try again later) waits for at least half of it.",
    default: 2_000,
    defaults: "Default 2 s; 0 reconnects at once.",
    tooSmall: "a server that comes up is stormed by its clients.",
    tooLarge: "callers wait for a connection that could be had."
  }),
  maxRetryAfter: OptionRules.option(OptionRules.duration(0), {
    does: "How long at most no dial is made because a server asks for it by `Retry-After` when it refuses to switch " +
      "protocols.",
    default: 60_000,
    defaults: "Default 1 min; 0: it is not heeded.",
    tooSmall: "a server that is overloaded is asked too early.",
    tooLarge: "one that asks for hours keeps its clients away for as long."
  }),
  onOpen: OptionRules.option(OptionRules.callable, {
    does: "Run with each new connection before anybody else has it: hello messages, log-ins, subscriptions. If it " +
      "fails, so does the dial. It is part of `connectTimeout`."
  }),
  schema: OptionRules.option({ expects: "a Schema", is: Schema.isSchema }, {
    does: "A codec between messages and what is on the wire, such as `Schema.fromJsonString(...)`.",
    defaults: "Default: texts and bytes."
  })
}

/**
 * Checks the options of a WebSocket pool, and sorts them: what a connection needs, and what the pool itself does.
 */
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PoolConfig } from "@effect-pools/core/PoolConfig"
import type { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { CloseVerdict, WebSocketOptions } from "./configModel.ts"
import * as Address from "./address.ts"
import { optionTable, type Own } from "./optionTable.ts"
import type { ConnectionSettings } from "./settings.ts"

/** Time limits that are the pool's, in milliseconds. */
type Limits = Pick<PoolConfig, "closeTimeout" | "connectTimeout">

/** `name` is the pool's unless the options have one. */
export const check = <Message>(
  options: WebSocketOptions<Message>,
  name: string,
  limits: Limits
): Result.Result<OptionRules.Checked<ConnectionSettings<Message>>, InvalidOption> =>
  Result.gen(function*() {
    const { own, pool } = yield* OptionRules.split(optionTable, options as unknown as WebSocketOptions<unknown>, name)
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
  const kept = OptionRules.complete(optionTable, own)
  // Defaults give way to what is given.
  const pingInterval = own.pingInterval === undefined
    ? Math.max(kept.pingInterval, kept.pongTimeout)
    : kept.pingInterval
  const delay = kept.reconnectDelay
  return {
    ...kept,
    pingInterval,
    pongTimeout: Math.min(kept.pongTimeout, pingInterval),
    schema: kept.schema as ConnectionSettings<unknown>["schema"],
    closeCodes: kept.closeCodes ?? defaultVerdict(own),
    reconnectDelay: own.reconnectDelay === undefined ? Math.min(delay, connectTimeout / 2) : delay,
    goodbyeTimeout: closeTimeout / 2
  }
}

const unwelcome = new Set([1008, 1010, 4001, 4003, 4401, 4403])

const defaultVerdict = ({ headers, url }: Own): (code: number) => CloseVerdict =>
  Effect.isEffect(url) || Effect.isEffect(headers)
    ? () => "reconnect"
    : (code) => unwelcome.has(code) ? "never" : "reconnect"

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

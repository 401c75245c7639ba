/**
 * Opens one session: the URL and credentials of the moment, the handshakes, and the user's own hello.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it.
 */
import { obtained } from "@effect-pools/core/Callback"
import type { Signals } from "@effect-pools/core/Connector"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { OpenFailed, WebSocketError } from "../WebSocketError.ts"
import * as Address from "./address.ts"
import type { Hub } from "./hub.ts"
import { Lent } from "./lent.ts"
import { areHeaders, headersRule } from "./optionTable.ts"
import { Session } from "./session.ts"
import type { Open, Target } from "./wire.ts"

export const dial = Effect.fnUntraced(function*<Message>(
  hub: Hub<Message>,
  open: Open,
  signals: Signals
): Effect.fn.Return<Session<Message>, unknown, Scope.Scope> {
  const toll = hub.stability.toll(hub.now())
  if (toll !== undefined) return yield* toll
  const delay = hub.stability.delay(hub.now(), yield* Random.next)
  if (delay > 0) yield* Effect.sleep(delay)
  const target = yield* targetOf(hub)
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const session = new Session<Message>(hub, target.address, signals, fork)
  // Holds what arrives until the connection is everybody's.
  const first = new Lent(session)
  yield* Effect.addFinalizer(() => session.close)
  yield* Effect.tapError(open(target, session), (error) => Effect.sync(() => hub.stability.asked(error, hub.now())))
  if (hub.settings.onOpen !== undefined) yield* hub.settings.onOpen(first)
  if (!session.isOpen) return yield* session.refusal()!
  if (session.requests.isOutOfStep) {
    return yield* refused(target.address, "onOpen gave up a request, and its reply may still come", true)
  }
  fork(session.heartbeat.beat)
  hub.sessions.add(session)
  hub.tell({ _tag: "Opened", connection: session.id })
  session.hasSpoken = false
  first.revoke()
  return session
})

const targetOf = Effect.fnUntraced(function*<Message>(
  { settings }: Hub<Message>
): Effect.fn.Return<Target, WebSocketError> {
  const given = yield* obtained(settings.url, (why) => refused("", `option url: ${why}`, true))
  const parsed = Address.parse(given)
  if (Result.isFailure(parsed)) return yield* refused("", `option url: ${parsed.failure}`, false)
  const url = parsed.success
  const address = Address.shown(url)
  // Checked when the pool is made where the URL is known then: who gives certificates does not mean plain text.
  if (settings.tls !== undefined && url.protocol === "ws:") {
    return yield* refused(address, "option tls: has no effect for a ws:// url", false)
  }
  const headers = yield* obtained(settings.headers, (why) => refused(address, `option headers: ${why}`, true))
  if (!areHeaders(headers)) return yield* refused(address, `option headers: must be ${headersRule}`, false)
  const { maxFragments, maxPayload, perMessageDeflate, protocols, tls } = settings
  const plain = Object.entries(headers).map(([name, text]) =>
    [name, Redacted.isRedacted(text) ? Redacted.value(text) : text] as const
  )
  const hasFreshCredentials = Effect.isEffect(settings.url) || Effect.isEffect(settings.headers)
  return {
    address,
    url: url.href,
    protocols,
    headers: Object.fromEntries(plain),
    tls,
    maxPayload,
    maxFragments,
    perMessageDeflate,
    hasFreshCredentials
  }
})

const refused = (address: string, why: string, isRetryable: boolean): WebSocketError =>
  new WebSocketError({
    address,
    reason: new OpenFailed({ why, status: undefined, code: undefined, retryAfter: undefined, isRetryable })
  })

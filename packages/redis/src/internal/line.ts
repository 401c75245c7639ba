/**
 * A connection of the pool that listens. It is leased like any other, so it counts within `maxConnections`, and closed
 * afterwards, since messages may still be on their way to it.
 *
 * In a cluster a sharded channel is listened to at the server that serves it, over another socket of the same
 * connection.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { RedisConnection } from "./connectionModel.ts"
import { CommandTimeout, RedisError, TooManyRedirections } from "../RedisError.ts"
import { Message } from "../RedisSubscription.ts"
import * as Fault from "./fault.ts"
import { leaseOf } from "./lent.ts"
import type { Node } from "./node.ts"
import type { Session } from "./session.ts"
import { addressText } from "./settings.ts"
import type { Line, Listener, OpenLine } from "./subscriber.ts"
import { keyOf, type Topic, type TopicKind } from "./topic.ts"

export const openFrom = (pool: ConnectionPool<RedisConnection>): OpenLine => (listener) =>
  Effect.gen(function*() {
    const lent = yield* pool.acquireWith({ label: "subscriptions", isLongLived: true })
    yield* Effect.addFinalizer(() => pool.invalidate(lent))
    const { session } = leaseOf(lent)
    const state: LineState = { session, listener, nodes: new Map(), places: new Map(), lost: Deferred.makeUnsafe() }
    yield* Effect.addFinalizer(() => Effect.sync(() => detachAll(state)))
    yield* nodeFor(state, { kind: "channel", name: "" })
    const line: Line = {
      subscribe: (topic) => inTime(session, "SUBSCRIBE", subscribe(state, topic)),
      unsubscribe: (topic) => inTime(session, "UNSUBSCRIBE", unsubscribe(state, topic)),
      ping: Effect.suspend(() => Effect.forEach(state.nodes.keys(), (node) => prove(state, node), concurrently)),
      lost: Deferred.await(state.lost)
    }
    return line
  })

/** That it answers, and that it still hears of what is published. */
const prove = ({ session: { carrier } }: LineState, node: Node): Effect.Effect<void, unknown> =>
  Effect.andThen(
    Effect.catch(node.call("PING"), (error) => Fault.isRefusal(error) ? Effect.void : Effect.fail(error)),
    Effect.flatMap(carrier.counts(node), (counts) => counts ? Effect.void : Effect.fail(hasLeft(node)))
  )

const hasLeft = ({ address }: Node): RedisError =>
  Fault.dialFailed(addressText(address), "the node has left the cluster")

const concurrently = { concurrency: "unbounded", discard: true } as const

interface LineState {
  readonly session: Session
  readonly listener: Listener
  /** Each node, and the call that ends its news. */
  readonly nodes: Map<Node, () => void>
  readonly places: Map<string, Place>
  readonly lost: Deferred.Deferred<void>
}

/** Where a topic is listened to. */
interface Place {
  readonly topic: Topic
  readonly node: Node
}

const subscribeBy: Record<TopicKind, string> = { channel: "SUBSCRIBE", pattern: "PSUBSCRIBE", shard: "SSUBSCRIBE" }

const maxRedirections = 5

const subscribe = (state: LineState, topic: Topic, redirections = 0): Effect.Effect<void, RedisError> =>
  Effect.flatMap(nodeFor(state, topic), (node) => {
    const verb = subscribeBy[topic.kind]
    return Effect.matchEffect(node.call(verb, topic.name), {
      onSuccess: () => Effect.sync(() => void state.places.set(keyOf(topic), { topic, node })),
      onFailure: (error) => {
        if (!state.session.carrier.redirected(error, node)) {
          return Effect.fail(Fault.make(verb, [topic.name], error, true))
        }
        if (redirections < maxRedirections) return subscribe(state, topic, redirections + 1)
        return Effect.fail(new RedisError({ command: verb, reason: new TooManyRedirections({ redirections }) }))
      }
    })
  })

const unsubscribeBy: Record<TopicKind, string> = {
  channel: "UNSUBSCRIBE",
  pattern: "PUNSUBSCRIBE",
  shard: "SUNSUBSCRIBE"
}

const unsubscribe = (state: LineState, topic: Topic): Effect.Effect<void, RedisError> =>
  Effect.suspend(() => {
    const node = state.places.get(keyOf(topic))?.node
    if (node === undefined || node.ended !== undefined) return Effect.void
    state.places.delete(keyOf(topic))
    const verb = unsubscribeBy[topic.kind]
    return Effect.mapBoth(node.call(verb, topic.name), {
      onFailure: (error) => Fault.make(verb, [topic.name], error, true),
      onSuccess: () => {}
    })
  })

const inTime = (
  { options: { commandTimeout } }: Session,
  command: string,
  effect: Effect.Effect<void, RedisError>
): Effect.Effect<void, RedisError> =>
  TimeLimit.timeoutOrElse(effect, {
    duration: commandTimeout,
    orElse: () => {
      const reason = new CommandTimeout({ timeout: commandTimeout, isRetryable: true })
      return Effect.fail(new RedisError({ command, reason }))
    }
  })

const nodeFor = (state: LineState, { kind, name }: Topic): Effect.Effect<Node, RedisError> =>
  Effect.mapBoth(state.session.carrier.listener(kind === "shard" ? name : undefined), {
    onFailure: (error) => error instanceof RedisError ? error : Fault.make(subscribeBy[kind], [name], error, false),
    onSuccess: (node) => {
      if (!state.nodes.has(node)) state.nodes.set(node, attach(state, node))
      return node
    }
  })

const attach = (state: LineState, node: Node): () => void => {
  const { listener } = state
  const onMessage = (channel: Buffer, bytes: Buffer) =>
    deliver(listener, { kind: "channel", name: channel.toString() }, channel.toString(), bytes)
  const onPattern = (pattern: string, channel: Buffer, bytes: Buffer) =>
    deliver(listener, { kind: "pattern", name: pattern }, channel.toString(), bytes)
  const onSharded = (channel: Buffer, bytes: Buffer) =>
    deliver(listener, { kind: "shard", name: channel.toString() }, channel.toString(), bytes)
  const onMoved = () => dropFrom(state, node)
  const onClose = () => lose(state)
  const handlers = [
    ["messageBuffer", onMessage],
    ["pmessageBuffer", onPattern],
    ["smessageBuffer", onSharded],
    ["moved", onMoved],
    ["close", onClose]
  ] as const
  // The types know none of its events by more than its name.
  for (const [event, handler] of handlers) node.redis.on(event as "close", handler as () => void)
  if (node.ended !== undefined) lose(state)
  return () => {
    for (const [event, handler] of handlers) node.redis.off(event as "close", handler as () => void)
  }
}

const lose = ({ lost }: LineState): void => void Deferred.doneUnsafe(lost, Effect.void)

const deliver = (listener: Listener, topic: Topic, channel: string, bytes: Buffer): void =>
  listener.onMessage(topic, new Message(channel, topic.kind === "pattern" ? topic.name : undefined, bytes))

/** A slot has left the node, and with it the sharded channels that the reader no longer counts. */
const dropFrom = (state: LineState, node: Node): void => {
  const left = node.subscriptions.of("ssubscribe")
  for (const [key, { node: where, topic }] of state.places) {
    if (topic.kind !== "shard" || where !== node || left.has(topic.name)) continue
    state.places.delete(key)
    state.listener.onDropped(topic)
  }
}

const detachAll = (state: LineState): void => {
  for (const detach of state.nodes.values()) detach()
}

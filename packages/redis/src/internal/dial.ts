/**
 * Opens one connection of the pool: credentials, transport, TLS, login, and the check that it leads to the right server.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it.
 */
import { obtained } from "@effect-pools/core/Callback"
import type { Signals } from "@effect-pools/core/Connector"
import * as ServerText from "@effect-pools/core/ServerText"
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { RawReply } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import { Cluster } from "./cluster.ts"
import { ClusterMap, isInOrder } from "./clusterMap.ts"
import * as Fault from "./fault.ts"
import * as Node from "./node.ts"
import * as Roles from "./role.ts"
import * as Sentinel from "./sentinel.ts"
import type { SentinelWatch } from "./sentinelWatch.ts"
import { type Carrier, Session } from "./session.ts"
import {
  type Address,
  addressText,
  type ConnectionSettings,
  type Opened,
  type Role,
  type Topology
} from "./settings.ts"

/** `watch`: who follows the sentinels, where there are any. */
export const dial = (
  settings: ConnectionSettings,
  signals: Signals,
  watch: SentinelWatch | undefined
): Effect.Effect<Session, RedisError, Scope.Scope> => {
  const { topology } = settings
  switch (topology._tag) {
    case "standalone":
      return single(settings, topology.address, signals, undefined)
    case "cluster":
      return cluster(settings, topology, signals)
    case "sentinel":
      return located(settings, topology, signals, watch)
  }
}

const located = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: Sentinel.SentinelTopology,
  signals: Signals,
  watch: SentinelWatch | undefined
): Effect.fn.Return<Session, RedisError, Scope.Scope> {
  const { role } = topology
  const found = yield* Sentinel.locate(settings, topology)
  const place = watch === undefined ? found : yield* watch.correct(found)
  const session = yield* single(settings, place.address, signals, role)
  const move = (cause: Error) => {
    // In good order: the others are not doubted, but for those that lead to the same server.
    signals.onEnded()
    // Writes that a former primary confirms are lost. A replica may end what it is about to answer, but keeps nobody
    // who listens.
    if (role === "primary" || session.isQuiet) session.kill(cause)
  }
  if (watch !== undefined) yield* watch.join({ ...place, move })
  return session
})

const single = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  address: Address,
  signals: Signals,
  role: Role | undefined
): Effect.fn.Return<Session, RedisError, Scope.Scope> {
  let session: Session | undefined
  const { clientId, node } = yield* login(settings, address, (cause) => session?.lost(cause))
  if (role !== undefined) yield* checkRole(node, role)
  const about = { address: addressText(address), role, clientId, isSpread: false }
  session = yield* makeSession(settings, about, carrierOf(node), signals)
  return yield* alive(node, session)
})

const alive = (node: Node.Node, session: Session): Effect.Effect<Session, RedisError> =>
  node.ended === undefined
    ? Effect.succeed(session)
    : Effect.fail(Fault.ofDial(addressText(node.address), node.ended, true))

/** The sentinels may not know yet that the server has changed its role. */
const checkRole = Effect.fnUntraced(function*(node: Node.Node, role: Role): Effect.fn.Return<void, RedisError> {
  const at = addressText(node.address)
  const reply = yield* Effect.mapError(unlessRefused(node.call("ROLE")), (error) => Fault.ofDial(at, error, true))
  const rule = Roles.whyNot(reply, role)
  if (rule !== undefined) return yield* Fault.dialFailed(at, rule)
})

const cluster = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: ClusterTopology,
  signals: Signals
): Effect.fn.Return<Session, RedisError, Scope.Scope> {
  let session: Session | undefined
  let carrier: Cluster | undefined
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const fork = (effect: Effect.Effect<void>) => void Effect.runForkWith(context)(Effect.forkIn(effect, scope))
  const map = new ClusterMap(topology.addressMap)
  const { address, node, opened } = yield* enter(settings, topology, map, (node, cause) => carrier?.lost(node, cause))
  const parts = {
    map,
    maxRedirections: topology.maxRedirections,
    named: topology.nodes,
    open: (address: Address, onEnd: Node.OnEnd) =>
      Scope.provide(
        within(settings.commandTimeout, address, attempt(settings, address, (_, cause) => onEnd(cause))),
        scope
      ),
    fork,
    onEmpty: (cause: Error) => session?.lost(cause)
  }
  carrier = new Cluster(parts, address, opened)
  const routes = carrier
  yield* Effect.addFinalizer(() => Effect.sync(() => routes.end(new Error("the pool closed the connection"))))
  const about = { address: addressText(address), role: undefined, clientId: undefined, isSpread: true }
  session = yield* makeSession(settings, about, carrier, signals)
  return yield* alive(node, session)
})

type ClusterTopology = Extract<Topology, { readonly _tag: "cluster" }>

/** A primary of the cluster, by the address that the cluster knows it by. */
interface Entrance {
  readonly address: Address
  readonly node: Node.Node
  readonly opened: Opened<Node.Node>
}

/** Which of the sockets has ended, and why. */
type OnNodeEnd = (node: Node.Node, cause: Error) => void

/** Opens a primary of the cluster: what has no key is sent to it, and a replica would refuse part of that. */
const enter = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: ClusterTopology,
  map: ClusterMap,
  onEnd: OnNodeEnd
): Effect.fn.Return<Entrance, RedisError, Scope.Scope> {
  const { id, opened } = yield* firstMember(settings, topology.nodes, map, onEnd)
  const own = map.primaries.find((primary) => map.idOf(primary) === id)
  if (own !== undefined) return { address: own, node: opened.node, opened }
  const address = yield* firstOf(
    map.primaries,
    (primary) =>
      Effect.map(attempt(settings, primary, onEnd), (opened) => ({ address: primary, node: opened.node, opened }))
  )
  yield* opened.close
  return address
})

/** One that hangs must not use up the time of the dial: the next may answer. */
const answerLimit = 1000

/** Begins with any of them, so that the connections of a pool do not all ask the same one. */
const firstOf = Effect.fnUntraced(function*<A>(
  nodes: ReadonlyArray<Address>,
  open: (address: Address) => Effect.Effect<A, RedisError, Scope.Scope>
): Effect.fn.Return<A, RedisError, Scope.Scope> {
  const first = yield* Random.nextIntBetween(0, nodes.length - 1)
  const inTurn = [...nodes.slice(first), ...nodes.slice(0, first)]
  return yield* Effect.firstSuccessOf(inTurn.map((address, i) =>
    // Behind the last there is none to be asked in its place.
    i === inTurn.length - 1 ? open(address) : within(answerLimit, address, open(address))
  ))
})

const within = <A, R>(
  limit: number,
  address: Address,
  effect: Effect.Effect<A, RedisError, R>
): Effect.Effect<A, RedisError, R> =>
  TimeLimit.timeoutOrElse(effect, {
    duration: limit,
    orElse: () => Effect.fail(Fault.dialFailed(addressText(address), "the node does not answer"))
  })

/** A node that belongs to a cluster. One that finds its cluster in no order is taken only where there is no other. */
const firstMember = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  nodes: ReadonlyArray<Address>,
  map: ClusterMap,
  onEnd: OnNodeEnd
): Effect.fn.Return<Member, RedisError, Scope.Scope> {
  const doubted: Array<Address> = []
  const open = (mayDoubt: boolean) => (address: Address) =>
    inScope(Effect.gen(function*() {
      const at = addressText(address)
      const opened = yield* attempt(settings, address, onEnd)
      const { id, info, slots } = yield* questions(opened.node)
      if (!mayDoubt && !isInOrder(info)) {
        doubted.push(address)
        return yield* Fault.dialFailed(at, "the cluster is not in order there (cluster_state)")
      }
      if (map.read(slots, address).size > 0) return { id, opened }
      return yield* Fault.dialFailed(at, "the node belongs to no cluster that has slots")
    }))
  const { value } = yield* Effect.catch(
    firstOf(nodes, open(false)),
    (error) => doubted.length === 0 ? Effect.fail(error) : firstOf(doubted, open(true))
  )
  return value
})

interface Member {
  readonly id: string
  readonly opened: Opened<Node.Node>
}

const questions = (
  node: Node.Node
): Effect.Effect<{ readonly slots: RawReply; readonly info: RawReply; readonly id: string }, RedisError> => {
  const at = addressText(node.address)
  const call = (what: string) => node.call("CLUSTER", what)
  // A user may be allowed no more than the first question.
  const all = [call("SLOTS"), unlessRefused(call("INFO")), unlessRefused(call("MYID"))] as const
  return Effect.map(
    Effect.mapError(Effect.all(all, { concurrency: "unbounded" }), (error) => Fault.ofDial(at, error, true)),
    ([slots, info, id]) => ({ slots, info, id: id === null ? "" : String(id) })
  )
}

/** A login that leaves no socket behind if it fails. */
const attempt = (
  settings: ConnectionSettings,
  address: Address,
  onEnd: OnNodeEnd
): Effect.Effect<Opened<Node.Node>, RedisError, Scope.Scope> => {
  let node: Node.Node | undefined
  return Effect.map(
    inScope(login(settings, address, (cause) => node !== undefined && onEnd(node, cause))),
    ({ close, value }) => ({ node: node = value.node, close })
  )
}

interface Scoped<out A> {
  readonly value: A
  readonly close: Effect.Effect<void>
}

/** In a scope of its own, which is closed if it fails. */
const inScope = Effect.fnUntraced(function*<A>(
  effect: Effect.Effect<A, RedisError, Scope.Scope>
): Effect.fn.Return<Scoped<A>, RedisError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const closed = (cause: Cause.Cause<RedisError>) => Scope.close(scope, Exit.failCause(cause))
  return { value: yield* Effect.onError(Scope.provide(effect, scope), closed), close: Scope.close(scope, Exit.void) }
})

const carrierOf = (node: Node.Node): Carrier => ({
  send: (request) => node.send(request),
  sendTo: (request) => node.send(request),
  primaries: () => [],
  sendTogether: (requests) => {
    for (const request of requests) node.send(request)
  },
  unsent: () => node.unsent,
  destroy: (cause) => node.destroy(cause),
  listener: () => Effect.succeed(node),
  counts: () => Effect.succeed(true),
  redirected: () => false
})

const makeSession = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  about: {
    readonly address: string
    readonly role: Role | undefined
    readonly clientId: string | undefined
    readonly isSpread: boolean
  },
  carrier: Carrier,
  signals: Signals
): Effect.fn.Return<Session, never, Scope.Scope> {
  const tags: Record<string, string> = { address: ServerText.clean(about.address), db: String(settings.db) }
  if (about.clientId !== undefined) tags["clientId"] = about.clientId
  const session = new Session(
    carrier,
    {
      address: about.address,
      db: settings.db,
      commandTimeout: settings.commandTimeout,
      role: about.role,
      round: settings.keepAlive,
      isSpread: about.isSpread,
      tags
    },
    yield* Clock.Clock,
    signals
  )
  yield* Effect.forkScoped(session.watch)
  return session
})

/** A connection to one server that has logged in, and the server's number for it. */
const login = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  address: Address,
  onEnd: Node.OnEnd
): Effect.fn.Return<{ readonly node: Node.Node; readonly clientId: string | undefined }, RedisError, Scope.Scope> {
  const password = yield* obtained(
    settings.password,
    (why) => Fault.dialFailed(addressText(address), `no password could be obtained: ${why}`)
  )
  const node = yield* Node.open(settings, address, onEnd)
  const hasFreshCredentials = Effect.isEffect(settings.password)
  const at = addressText(address)
  const required = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.mapError(node.call(name, ...args), (error) => Fault.ofDial(at, error, hasFreshCredentials, args))
  /** Anything but the answer that the protocol knows is no login. */
  const isAnswer = (answer: string, name: string, reply: RawReply) =>
    String(reply) === answer
      ? Effect.succeed(reply)
      : Effect.fail(
        Fault.dialFailed(at, `the answer to ${name} is not ${answer}: this is no Redis server`)
      )
  const said = (answer: string, name: string, ...args: ReadonlyArray<string>) =>
    Effect.flatMap(required(name, ...args), (reply) => isAnswer(answer, name, reply))
  // Nothing depends on it: a server may not know it, and a user may lack the right to it.
  const optional = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.mapError(
      unlessRefused(node.call(name, ...args)),
      (error) => Fault.ofDial(at, error, hasFreshCredentials, args)
    )
  const auth = password === undefined
    ? []
    : [said("OK", "AUTH", ...(settings.username === undefined ? [] : [settings.username]), Redacted.value(password))]
  // All in one write: the answers come back in one.
  const replies = yield* Effect.all([
    Effect.all(auth, { concurrency: "unbounded" }),
    settings.db === 0 ? Effect.succeed<RawReply>(null) : said("OK", "SELECT", String(settings.db)),
    optional("CLIENT", "SETNAME", settings.clientName),
    optional("CLIENT", "ID"),
    // A server that is loading its data refuses it.
    Effect.flatMap(
      optional("PING"),
      (reply) => reply === null ? Effect.succeed(reply) : isAnswer("PONG", "PING", reply)
    )
  ], { concurrency: "unbounded" })
  return { node, clientId: replies[3] === null ? undefined : String(replies[3]) }
})

/** Null where the server refuses. */
const unlessRefused = (call: Effect.Effect<RawReply, unknown>): Effect.Effect<RawReply, unknown> =>
  Effect.catch(call, (error) => Fault.isRefusal(error) ? Effect.succeed<RawReply>(null) : Effect.fail(error))

/**
 * Opens one connection of the pool: credentials, transport, TLS, login, and the check that it leads to the right server.
 *
 * It has no time limit of its own; the pool's `connectTimeout` is the limit of all of it.
 */
import type { Signals } from "@effect-pools/core/Connector"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { RawReply } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import { Cluster } from "./cluster.ts"
import { ClusterMap } from "./clusterMap.ts"
import * as Fault from "./fault.ts"
import * as Node from "./node.ts"
import * as Roles from "./role.ts"
import * as Sentinel from "./sentinel.ts"
import type { SentinelWatch } from "./sentinelWatch.ts"
import { type Carrier, Session } from "./session.ts"
import { type Address, addressText, type ConnectionSettings, type Role, type Topology } from "./settings.ts"

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
  const place = yield* Sentinel.locate(settings, topology)
  const session = yield* single(settings, place.address, signals, role)
  const move = (cause: Error) => {
    // In good order: the others are not doubted, but for those that lead to the same server.
    signals.onEnded()
    // What a replica still answers is right enough; what a former primary confirms is lost.
    if (role === "primary") session.kill(cause)
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
  const reply = yield* Effect.mapError(node.call("ROLE"), (error) => Fault.ofDial(at, error, true)).pipe(
    Effect.catchIf(isRefusal, () => Effect.succeed<RawReply>(null))
  )
  const rule = Roles.whyNot(reply, role)
  if (rule !== undefined) return yield* Fault.dialFailed(at, rule, undefined, true)
})

const cluster = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: Extract<Topology, { readonly _tag: "cluster" }>,
  signals: Signals
): Effect.fn.Return<Session, RedisError, Scope.Scope> {
  let session: Session | undefined
  let carrier: Cluster | undefined
  const scope = yield* Effect.scope
  const onEnd = (cause: Error) => {
    session?.lost(cause)
    carrier?.destroy(cause)
  }
  const open = (address: Address) =>
    Scope.provide(Effect.map(attempt(settings, address, onEnd), ({ node }) => node), scope)
  const seed = yield* firstThatAnswers(settings, topology.nodes, onEnd)
  const call = (...args: ReadonlyArray<string>) =>
    Effect.mapError(seed.call("CLUSTER", ...args), (error) => Fault.ofDial(addressText(seed.address), error, true))
  const map = new ClusterMap()
  const primaries = map.read(yield* call("SLOTS"), seed.address)
  const seedAddress = primaries.get(String(yield* call("MYID")))
  const context = yield* Effect.context<never>()
  const fork = (effect: Effect.Effect<void>) => void Effect.runForkWith(context)(Effect.forkIn(effect, scope))
  const { maxRedirections } = topology
  carrier = new Cluster({ seed, map, maxRedirections, open, fork }, seedAddress)
  const opened = carrier
  yield* Effect.addFinalizer(() => Effect.sync(() => opened.end(new Error("the pool closed the connection"))))
  const about = { address: addressText(seed.address), role: undefined, clientId: undefined, isSpread: true }
  session = yield* makeSession(settings, about, carrier, signals)
  return yield* alive(seed, session)
})

/** One that hangs must not use up the time of the dial: the next may answer. */
const answerLimit = "1 second"

/** Begins with any of them, so that the connections of a pool do not all ask the same one. */
const firstThatAnswers = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  nodes: ReadonlyArray<Address>,
  onEnd: Node.OnEnd
): Effect.fn.Return<Node.Node, RedisError, Scope.Scope> {
  const first = yield* Random.nextIntBetween(0, nodes.length - 1)
  const inTurn = [...nodes.slice(first), ...nodes.slice(0, first)]
  return yield* Effect.firstSuccessOf(inTurn.map((address, i) => {
    const opened = Effect.map(attempt(settings, address, onEnd), ({ node }) => node)
    // Behind the last there is none to be asked in its place.
    if (i === inTurn.length - 1) return opened
    return Effect.timeoutOrElse(opened, {
      duration: answerLimit,
      orElse: () => Effect.fail(Fault.dialFailed(addressText(address), "the node does not answer", undefined, true))
    })
  }))
})

/** A login that leaves no socket behind if it fails. */
const attempt = Effect.fnUntraced(function*(settings: ConnectionSettings, address: Address, onEnd: Node.OnEnd) {
  let isIn = false
  const scope = yield* Scope.fork(yield* Effect.scope)
  const logged = yield* Scope.provide(login(settings, address, (cause) => isIn && onEnd(cause)), scope).pipe(
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
  isIn = true
  return logged
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
  const tags: Record<string, string> = { address: about.address, db: String(settings.db) }
  if (about.clientId !== undefined) tags["clientId"] = about.clientId
  const session = new Session(
    carrier,
    {
      address: about.address,
      db: settings.db,
      commandTimeout: settings.commandTimeout,
      role: about.role,
      isSpread: about.isSpread,
      tags
    },
    yield* Clock.Clock,
    signals.onBroken
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
  const password = yield* currentPassword(settings, address)
  const node = yield* Node.open(settings, address, onEnd)
  const hasFreshCredentials = Effect.isEffect(settings.password)
  const at = addressText(address)
  const required = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.mapError(node.call(name, ...args), (error) => Fault.ofDial(at, error, hasFreshCredentials, args))
  /** Anything but the answer that the protocol knows is no login. */
  const said = (answer: string, name: string, ...args: ReadonlyArray<string>) =>
    Effect.filterOrFail(
      required(name, ...args),
      (reply) => String(reply) === answer,
      () => Fault.dialFailed(at, `the answer to ${name} is not ${answer}: this is no Redis server`, undefined, true)
    )
  // What an old server does not know, or a user may not do, is done without.
  const optional = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.catchIf(required(name, ...args), isRefusal, () => Effect.succeed<RawReply>(null))
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
    said("PONG", "PING")
  ], { concurrency: "unbounded" })
  return { node, clientId: replies[3] === null ? undefined : String(replies[3]) }
})

const isRefusal = ({ reason }: RedisError): boolean =>
  reason._tag === "DialFailed" &&
  (reason.code === "NOPERM" || reason.code === "ERR" && /unknown/i.test(reason.description))

const currentPassword = (
  settings: ConnectionSettings,
  address: Address
): Effect.Effect<Redacted.Redacted | undefined, RedisError> =>
  Effect.isEffect(settings.password)
    // Only the message is passed on: what else an error of a secrets store holds is not known here.
    ? Effect.catchCause(settings.password, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.fail(
          Fault.dialFailed(
            addressText(address),
            `no password could be obtained: ${describe(Cause.squash(cause))}`,
            undefined,
            true
          )
        ))
    : Effect.succeed(settings.password)

const describe = (error: unknown): string => error instanceof Error ? error.message.slice(0, 200) : "it failed"

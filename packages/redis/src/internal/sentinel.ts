/**
 * Asks the sentinels where a server is.
 *
 * They are asked together, since one that is cut off from the others goes on to name the primary of yesterday: the
 * answer of the latest configuration counts.
 */
import * as TimeLimit from "@effect-pools/core/TimeLimit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { list, Mismatch, type RawReply, record, text } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import * as Fault from "./fault.ts"
import * as Node from "./node.ts"
import {
  type Address,
  addressText,
  type ConnectionSettings,
  isSameAddress,
  type Topology,
  translated
} from "./settings.ts"

export type SentinelTopology = Extract<Topology, { readonly _tag: "sentinel" }>

/** The knowledge of one sentinel. */
export interface Vote {
  readonly primary: Address
  /** Which configuration it is of: each failover makes a later one. */
  readonly epoch: number
  /** The replicas that are well, and whose link to the primary is. Asked for only where the pool wants one. */
  readonly replicas: ReadonlyArray<Address>
}

/** Where a server was found, and by the word of which configuration. */
export interface Located {
  readonly address: Address
  readonly epoch: number
}

/** The state that is best believed: the latest configuration, and among equal ones what most say. */
export const pick = (votes: ReadonlyArray<Vote>): Vote | undefined => {
  const weight = (vote: Vote): number => votes.filter((other) => isSameAddress(vote.primary, other.primary)).length
  let best: Vote | undefined
  for (const vote of votes) {
    if (best === undefined || vote.epoch > best.epoch) best = vote
    else if (vote.epoch === best.epoch && weight(vote) > weight(best)) best = vote
  }
  return best
}

export const majorityOf = ({ nodes }: SentinelTopology): number => Math.floor(nodes.length / 2) + 1

export const locate = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: SentinelTopology
): Effect.fn.Return<Located, RedisError> {
  const poll = yield* Effect.scoped(askAll(settings, topology))
  const best = pick(poll.votes)
  if (best === undefined) return yield* unknown(topology, poll.last)
  if (topology.role === "primary") return { address: best.primary, epoch: best.epoch }
  const { epoch, replicas } = best
  if (replicas.length === 0) return yield* unknown(topology, "no replica is up with its link to the primary")
  return { address: replicas[yield* Random.nextIntBetween(0, replicas.length - 1)]!, epoch }
})

const unknown = ({ name, role }: SentinelTopology, last: string): RedisError =>
  Fault.dialFailed(`sentinel ${name}`, `no sentinel tells where the ${role} is; the last: ${last}`)

/** One that hangs must not use up the time of the dial: the others may know. */
const answerLimit = 1000

interface Poll {
  readonly votes: Array<Vote>
  /** The failure of the last sentinel that could not tell. */
  last: string
}

/** Until most of them have answered. Those that do not answer in time are done without, if any has. */
const askAll = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: SentinelTopology
): Effect.fn.Return<Poll, never, Scope.Scope> {
  const poll: Poll = { votes: [], last: "none was asked" }
  const enough = Latch.makeUnsafe(false)
  let pending = topology.nodes.length
  let isLate = false
  const judge = () => {
    const { votes: { length } } = poll
    if (pending === 0 || length >= majorityOf(topology) || (isLate && length > 0)) enough.openUnsafe()
  }
  for (const node of topology.nodes) {
    yield* Effect.forkScoped(Effect.map(Effect.exit(Effect.scoped(ask(settings, topology, node))), (exit) => {
      pending--
      if (Exit.isFailure(exit)) poll.last = reasonOf(node, exit.cause)
      else if (exit.value === undefined) poll.last = `${addressText(node)} knows no such server`
      else poll.votes.push(exit.value)
      judge()
    }))
  }
  const late = Effect.map(TimeLimit.sleep(answerLimit), () => {
    isLate = true
    judge()
  })
  yield* Effect.forkScoped(late)
  yield* enough.await
  return poll
})

const reasonOf = (node: Address, cause: Cause.Cause<RedisError>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : `${addressText(node)} could not be asked`
}

/** A connection to a sentinel that has logged in. */
export const connect = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  { password, tls, username }: SentinelTopology,
  address: Address,
  onEnd: Node.OnEnd
): Effect.fn.Return<Node.Node, RedisError, Scope.Scope> {
  const node = yield* Node.open({ ...settings, tls }, address, onEnd)
  if (password !== undefined) {
    yield* call(node, "AUTH", ...(username === undefined ? [] : [username]), Redacted.value(password))
  }
  return node
})

const call = (node: Node.Node, name: string, ...args: ReadonlyArray<string>): Effect.Effect<RawReply, RedisError> =>
  Effect.mapError(node.call(name, ...args), (error) => Fault.ofDial(addressText(node.address), error, true, args))

/** Asks one of them, over a connection of its own. `undefined`: it does not know the primary's name. */
export const ask = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: SentinelTopology,
  address: Address
): Effect.fn.Return<Vote | undefined, RedisError, Scope.Scope> {
  const node = yield* connect(settings, topology, address, () => {})
  const { addressMap, name, role } = topology
  const [found, about, replicas] = yield* Effect.all([
    // While a failover ends, this one alone names the new primary already.
    call(node, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
    // A user may be allowed no more than the question above.
    Effect.orElseSucceed(call(node, "SENTINEL", "MASTER", name), () => null),
    role === "primary" ? Effect.succeed<RawReply>([]) : call(node, "SENTINEL", "REPLICAS", name)
  ], { concurrency: "unbounded" })
  const primary = primaryOf(found)
  if (primary === undefined) return undefined
  return {
    primary: translated(addressMap, primary),
    epoch: epochOf(about),
    replicas: replicasOf(replicas).map((replica) => translated(addressMap, replica))
  }
})

const primaryOf = (reply: RawReply): Address | undefined => {
  const found = list(text)(reply)
  return found instanceof Mismatch || found.length !== 2 ? undefined : { host: found[0]!, port: Number(found[1]) }
}

const epochOf = (reply: RawReply): number => {
  const about = record(text)(reply)
  const epoch = about instanceof Mismatch ? 0 : Number(about["config-epoch"])
  return Number.isSafeInteger(epoch) ? epoch : 0
}

const replicasOf = (reply: RawReply): ReadonlyArray<Address> => {
  const replicas = list(record(text))(reply)
  if (replicas instanceof Mismatch) return []
  return replicas.filter(isWell).map(({ ip = "", port }) => ({ host: ip, port: Number(port) }))
}

/** A replica without a link to its primary answers with what it had when it lost it. */
const isWell = ({ flags = "", "master-link-status": link = "ok" }: Readonly<Record<string, string>>): boolean =>
  !/disconnected|s_down|o_down/.test(flags) && link === "ok"

/**
 * Asks the sentinels where a server is.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { list, Mismatch, type RawReply, record, text } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import * as Fault from "./fault.ts"
import * as Node from "./node.ts"
import { type Address, addressText, type ConnectionSettings, type Topology } from "./settings.ts"

type Sentinel = Extract<Topology, { readonly _tag: "sentinel" }>

/** One that hangs must not use up the time of the dial: the next may know. */
const answerLimit = "1 second"

export const locate = Effect.fnUntraced(function*(
  settings: ConnectionSettings,
  topology: Sentinel
): Effect.fn.Return<Address, RedisError> {
  let last = "none was asked"
  for (const node of topology.nodes) {
    const asked = Effect.scoped(ask(settings, topology, node))
    // Behind the last there is none to be asked in its place.
    const isLast = node === topology.nodes.at(-1)
    const answer = yield* Effect.result(
      isLast ? asked : Effect.timeoutOrElse(asked, {
        duration: answerLimit,
        orElse: () => Effect.fail(silent(node))
      })
    )
    if (Result.isSuccess(answer) && answer.success !== undefined) return answer.success
    last = Result.isSuccess(answer)
      ? `${addressText(node)} knows no such server`
      : answer.failure.reason.message
  }
  return yield* Fault.dialFailed(
    `sentinel ${topology.name}`,
    `no sentinel tells where the ${topology.role} is; the last: ${last}`,
    undefined,
    true
  )
})

const silent = (node: Address): RedisError =>
  Fault.dialFailed(addressText(node), "the sentinel does not answer", undefined, true)

const ask = Effect.fnUntraced(function*(settings: ConnectionSettings, topology: Sentinel, address: Address) {
  const node = yield* Node.open(settings, address, () => {})
  const call = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.mapError(node.call(name, ...args), (error) => Fault.ofDial(addressText(address), error, true, args))
  const { password, username } = topology
  if (password !== undefined) {
    yield* call("AUTH", ...(username === undefined ? [] : [username]), Redacted.value(password))
  }
  if (topology.role === "primary") {
    return primaryOf(yield* call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", topology.name))
  }
  const replicas = replicasOf(yield* call("SENTINEL", "REPLICAS", topology.name))
  return replicas.length === 0 ? undefined : replicas[yield* Random.nextIntBetween(0, replicas.length - 1)]
})

const primaryOf = (reply: RawReply): Address | undefined => {
  const found = list(text)(reply)
  return found instanceof Mismatch || found.length !== 2 ? undefined : { host: found[0]!, port: Number(found[1]) }
}

const replicasOf = (reply: RawReply): ReadonlyArray<Address> => {
  const replicas = list(record(text))(reply)
  if (replicas instanceof Mismatch) return []
  return replicas
    .filter(({ flags = "" }) => !/disconnected|s_down|o_down/.test(flags))
    .map(({ ip = "", port }) => ({ host: ip, port: Number(port) }))
}

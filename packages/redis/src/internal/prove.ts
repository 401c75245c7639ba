/**
 * Has a connection prove that it works, and that it leads where it should.
 */
import * as Effect from "effect/Effect"
import { make as makeCommand, raw, type RawReply } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import { isInOrder } from "./clusterMap.ts"
import * as Fault from "./fault.ts"
import * as Role from "./role.ts"
import * as Send from "./send.ts"
import type { Session } from "./session.ts"

export const prove = (session: Session): Effect.Effect<unknown, RedisError> => {
  const { address, isSpread, role } = session.options
  const unfit = (rule: string) => Effect.fail(Fault.dialFailed(address, rule))
  if (isSpread) {
    return Effect.flatMap(asked(session, "CLUSTER", "INFO"), (info) => {
      if (isInOrder(info)) return Effect.void
      // The whole cluster may be in no order, or this node alone be out of it.
      return Effect.flatMap(
        session.carrier.counts(undefined),
        (counts) => counts ? Effect.void : unfit("the node has left the cluster")
      )
    })
  }
  if (role === undefined) return asked(session, "PING")
  // A server that was demoted answers as quickly as before, with what it had then.
  return Effect.flatMap(asked(session, "ROLE"), (reply) => {
    const rule = Role.whyNot(reply, role)
    return rule === undefined ? Effect.void : unfit(rule)
  })
}

/** A server that refuses to answer is there. */
const asked = (session: Session, name: string, ...args: ReadonlyArray<string>): Effect.Effect<RawReply, RedisError> =>
  Effect.catchIf(call(session, name, ...args), isRefusal, () => Effect.succeed<RawReply>(null))

/** A user may lack the right to it, and a proxy may not know it. */
const isRefusal = ({ reason }: RedisError): boolean => reason._tag === "CommandFailed" && Fault.isOfOneCommand(reason)

export const call = (
  session: Session,
  name: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<RawReply, RedisError> => Send.one(session, () => makeCommand(name, args, raw))

/**
 * The connector, from the parts that do its work.
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as Exit from "effect/Exit"
import type { WebSocketConnection } from "./connectionModel.ts"
import { dial } from "./dial.ts"
import type { Hub } from "./hub.ts"
import { Lent } from "./lent.ts"
import type { Session } from "./session.ts"
import type { Open } from "./wire.ts"

export const make = <Message>(
  hub: Hub<Message>,
  open: Open
): Connector<Session<Message>, WebSocketConnection<Message>> => ({
  connect: (signals) => dial(hub, open, signals),
  warnings: hub.settings.warnings,
  validate: (session) => session.heartbeat.prove,
  // Messages are whole, so that a lease leaves nothing half done; what it may leave is told by `isBroken`.
  reset: (session) => {
    session.hasSpoken = false
    return undefined
  },
  isBroken: (session, exit) =>
    !session.isOpen || session.requests.isOutOfStep || (session.hasSpoken && Exit.hasInterrupts(exit)),
  lend: (session, isShared) => new Lent(session, isShared),
  revoke: (lent) => lentOf(lent).revoke(),
  sharers: hub.settings.sharing,
  // Short requests that come together leave in one write.
  joins: "adaptive",
  inspect: (session) => ({
    tags: { socket: String(session.id), address: session.address, protocol: session.wire?.protocol ?? "" },
    activity: activityOf(session)
  })
})

/** The connector lends nothing else. */
export const lentOf = <Message>(lent: WebSocketConnection<Message>): Lent<Message> => lent as Lent<Message>

const activityOf = <Message>(session: Session<Message>): string => {
  const parts = [`${session.wire?.buffered() ?? 0} bytes buffered`]
  if (session.requests.size > 0) parts.push(`${session.requests.size} requests under way`)
  if (session.isSuspended) parts.push("suspended")
  return parts.join(", ")
}

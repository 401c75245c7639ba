/**
 * The connector, from the parts that do its work.
 */
import type { Connector } from "@effect-pools/core/Connector"
import * as Effect from "effect/Effect"
import type { PostgresConnection } from "./connectionModel.ts"
import { dial } from "./dial.ts"
import type { Kit } from "./kit.ts"
import { LentConnection, type Terms } from "./lent.ts"
import * as LeaseClient from "./leaseClient.ts"
import * as Role from "./role.ts"
import { type Session, SessionEnded } from "./session.ts"
import * as Misuse from "./pooler/misuse.ts"
import * as SqlText from "./sqlText.ts"

/** Lends leases: a single statement needs no more. */
export const make = (kit: Kit): Connector<Session, LentConnection> => ({
  connect: (signals) => dial(kit.settings, kit.schema, signals),
  sharers: kit.settings.sharing,
  warnings: kit.settings.warnings,
  // The server runs the statements of a connection one after the other: short ones save writes by leaving together, and
  // would keep each other waiting if they were slow.
  joins: "adaptive",
  ...lending(kit),
  ...care,
  ...(kit.settings.role === "any" ? {} : { validate: (session) => validateRole(session, kit) })
})

/** A server can change its role under its sessions. */
const validateRole = (session: Session, { settings }: Kit): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    Role.check(session.own, settings),
    (wrong) => wrong === undefined ? Effect.void : Effect.fail(new SessionEnded({ message: wrong }))
  )

/** Lends clients, for a pool that is not made here. */
export const makeLendingClients = (kit: Kit): Connector<Session, PostgresConnection> => {
  const { lend, revoke } = lending(kit)
  return {
    ...make(kit),
    lend: (session, isShared) => lend(session, isShared).lent,
    revoke: (lent) => {
      const lease = LeaseClient.leaseOf(lent)
      if (lease !== undefined) revoke(lease)
    }
  }
}

interface Lending {
  readonly lend: (session: Session, isShared?: boolean) => LentConnection
  readonly revoke: (lease: LentConnection) => void
}

/** The members that lend. */
export const lending = (kit: Kit): Lending => {
  const terms: Terms = {
    pool: kit.pool,
    now: kit.now,
    clientOf: LeaseClient.make(kit),
    isIn: (lease, context) => kit.currentLease(context) === lease,
    limits: kit.limits,
    alone: (lease, effect) => LeaseClient.alone(kit, lease, effect),
    commit: kit.commit,
    ruleOf: kit.settings.pooler?.mode === "transaction" ? Misuse.ruleOf : undefined
  }
  return {
    lend: (session, isShared) => new LentConnection(session, terms, isShared),
    revoke: (lease) => {
      lease.isActive = false
    }
  }
}

const shown = (statement: string | undefined): string | undefined =>
  statement === undefined ? undefined : SqlText.shownOf(statement)

/** The members that need nothing but the session. */
export const care = {
  // The empty query is the cheapest that the server must answer.
  validate: (session) => session.own.query("", [], false),
  reset: (session) => session.reset(),
  isBroken: (session, exit) => session.isBroken(exit),
  inspect: (session) => {
    const activity = shown(session.running[0])
    return {
      tags: { processId: String(session.own.processId), address: session.options.address },
      activity,
      lately: activity ?? shown(session.last)
    }
  }
} satisfies Partial<Connector<Session, PostgresConnection>>

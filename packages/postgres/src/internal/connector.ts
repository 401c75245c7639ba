/**
 * The connector, from the parts that do its work.
 */
import type { Connector } from "@effect-pools/core/Connector"
import type { PostgresConnection } from "../PostgresConnector.ts"
import { dial } from "./dial.ts"
import type { Kit } from "./kit.ts"
import * as Lent from "./lent.ts"
import type { QueryTimer } from "./queryTimer.ts"
import type { Session } from "./session.ts"

export const make = (kit: Kit, timer: QueryTimer | undefined): Connector<Session, PostgresConnection> => ({
  connect: (signals) => dial(kit.settings, signals),
  sharers: kit.settings.sharing,
  ...Lent.make(kit, timer),
  ...care
})

/** The members that need nothing but the session. */
export const care = {
  // The empty query is the cheapest that the server must answer.
  validate: (session) => session.own.query("", [], false),
  reset: (session) => session.reset(),
  isBroken: (session, exit) => session.isBroken(exit),
  revoke: (lent) => {
    Lent.leaseOf(lent).isActive = false
  },
  inspect: (session) => ({
    tags: { processId: String(session.own.processId), address: session.options.address },
    activity: session.running[0] === undefined ? undefined : withoutLiterals(session.running[0])
  })
} satisfies Partial<Connector<Session, PostgresConnection>>

// A parameter is never part of the text, but a literal may be a secret: ALTER ROLE ... PASSWORD '...'.
const withoutLiterals = (text: string): string => text.replace(/'(?:[^']|'')*'?/g, "'...'").slice(0, 100)

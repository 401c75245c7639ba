/**
 * The connector, from the parts that do its work.
 */
import type { Connector } from "@effect-pools/core/Connector"
import type { RedisConnection } from "./connectionModel.ts"
import { dial } from "./dial.ts"
import { leaseOf, LentConnection } from "./lent.ts"
import { call, prove } from "./prove.ts"
import { SentinelWatch } from "./sentinelWatch.ts"
import type { Session } from "./session.ts"
import type { ConnectionSettings } from "./settings.ts"

export const make = (pool: string, settings: ConnectionSettings): Connector<Session, RedisConnection> => {
  const { topology } = settings
  const watch = topology._tag === "sentinel" ? new SentinelWatch(settings, topology) : undefined
  return {
    ...care(pool),
    warnings: settings.warnings,
    connect: (signals) => dial(settings, signals, watch),
    sharers: settings.sharing,
    // Requests of the same moment leave together.
    joins: "busiest"
  }
}

/** The members that need nothing but the session. */
export const care = (pool: string): Omit<Connector<Session, RedisConnection>, "connect"> => ({
  lend: (session, isShared) => new LentConnection(session, pool, isShared) as unknown as RedisConnection,
  validate: prove,
  reset: (session) => session.reset((name, ...args) => call(session, name, ...args)),
  isBroken: (session) => session.isBroken,
  revoke: (lent) => {
    leaseOf(lent).isActive = false
  },
  inspect: (session) => ({ tags: session.options.tags, activity: session.activity, lately: session.lately })
})

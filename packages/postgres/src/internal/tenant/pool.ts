/**
 * A pool whose sessions are set for the key of each caller before they are lent.
 */
import type { ConnectionPool } from "@effect-pools/core/ConnectionPool"
import { ConnectFailed, PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Traffic from "@effect-pools/core/Traffic"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { LentConnection } from "../lent.ts"
import type { ConnectionSettings } from "../settings.ts"
import { apply, nobody } from "./apply.ts"
import { LocalTenant } from "./local.ts"
import type { SessionOf, SessionState } from "./model.ts"

export const make = (
  pool: ConnectionPool<LentConnection>,
  { pooler, session: sessionOf }: Pick<ConnectionSettings, "pooler" | "session">
): ConnectionPool<LentConnection> => {
  if (sessionOf === undefined) return pool
  const stateOf = (fiber: Fiber.Fiber<unknown, unknown>): SessionState => {
    const { affinity } = fiber.getRef(Traffic.Traffic)
    return affinity === undefined ? nobody : checked(pool.name, affinity, sessionOf)
  }
  return derived(pool, pooler?.mode === "transaction" ? local(stateOf) : ofSession(pool, stateOf))
}

type StateOf = (fiber: Fiber.Fiber<unknown, unknown>) => SessionState
type Ready = (lease: LentConnection) => Effect.Effect<void, PoolError>

/** The session is nobody's own: its transactions are told. */
const local = (stateOf: StateOf): Ready => (lease) =>
  Effect.withFiber((fiber) => {
    const state = stateOf(fiber)
    const isNothing = state.role === undefined && Object.keys(state.settings ?? {}).length === 0
    if (!isNothing) lease.tenant = new LocalTenant(lease.session, state)
    return Effect.void
  })

const ofSession = (pool: ConnectionPool<LentConnection>, stateOf: StateOf): Ready => (lease) =>
  Effect.withFiber((fiber) => {
    const applying = apply(lease.session.tenant, lease.session.pin, stateOf(fiber))
    if (applying === undefined) return Effect.void
    return Effect.catch(applying, (cause) =>
      // Nobody must get a session of which nobody knows whose it is.
      Effect.andThen(
        pool.invalidate(lease),
        Effect.fail(
          new PoolError({
            pool: pool.name,
            reason: new ConnectFailed({ cause, attempts: 1, waited: 0, isRetryable: cause.isRetryable })
          })
        )
      ))
  })

const derived = (pool: ConnectionPool<LentConnection>, ready: Ready): ConnectionPool<LentConnection> =>
  PoolService.derive<LentConnection, LentConnection>(pool, {
    withConnection: (f, options) => pool.withConnection((lease) => Effect.andThen(ready(lease), f(lease)), options),
    acquireWith: (options) => Effect.tap(pool.acquireWith(options), ready),
    invalidate: pool.invalidate
  })

const checked = (pool: string, key: string, sessionOf: SessionOf): SessionState => {
  const state = sessionOf(key)
  const broken = rule(state)
  if (broken !== undefined) throw new PoolMisuse({ pool, rule: `the option session gave a state that ${broken}` })
  return state
}

const name = /^[a-z_][a-z0-9_.$]*$/i

const rule = (state: SessionState): string | undefined => {
  if (typeof state !== "object" || state === null) return "is no object with role and settings"
  const { role, settings = {} } = state
  if (role !== undefined && (typeof role !== "string" || role === "" || role.includes("\0"))) {
    return "has no text as role"
  }
  for (const [setting, value] of Object.entries(settings)) {
    if (!name.test(setting)) return `can't set ${JSON.stringify(setting.slice(0, 60))}`
    if (typeof value !== "string" || value.includes("\0")) return `has no text as ${setting}`
  }
  return undefined
}

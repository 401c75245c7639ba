/**
 * A pool's part in a budget: what it has and could use, and what becomes of a grant.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Book } from "../budget/book.ts"
import type { Tenant } from "../budget/ledger.ts"
import { wantedByWaiters } from "../lease/share.ts"
import { InvalidOption, type PoolError } from "../../PoolError.ts"
import type { PoolState } from "../pool/state.ts"
import { emit } from "../watch/events.ts"
import { moveLimit } from "./limit.ts"

/** Takes part in a budget until the scope closes: the pool must have ended by then. */
export const joinBudget = (state: PoolState, book: Book): Effect.Effect<void, PoolError, Scope.Scope> =>
  Effect.suspend(() => {
    const { ledger, total } = book
    const tenant = tenantOf(state, book.floor)
    const floors = ledger.floors + tenant.floor
    if (floors > total) {
      const rule = `of the budget “${ledger.name}” must be at least the sum of its pools' floors or minConnections: ` +
        `${floors} with this pool's ${tenant.floor}, got ${total}`
      return Effect.fail(state.error(new InvalidOption({ option: "total", rule })))
    }
    const join = Effect.sync(() => {
      const seat = ledger.join(tenant)
      state.sitAt({
        view: () => ledger.viewOf(seat),
        look: () => ledger.look(),
        ask: () => ledger.ask(seat),
        isHungry: () => seat.isHungry,
        freed: () => ledger.freed()
      })
      book.joined()
      return seat
    })
    return Effect.asVoid(Effect.acquireRelease(join, (seat) => Effect.sync(() => ledger.leave(seat))))
  })

const tenantOf = (state: PoolState, floor: number): Tenant => {
  const { kind, maxConnections, minConnections, name } = state.config
  const own = Math.min(maxConnections, Math.max(floor, minConnections))
  return {
    name,
    kind,
    get floor() {
      return state.phase === "open" ? own : 0
    },
    has: () => state.places.connections.size,
    most: () => state.places.limits.without("budget"),
    useful: () => Math.min(state.places.limits.without("budget"), useful(state)),
    granted: (grant, why) => moveLimit(state, "budget", grant, why),
    told: (news) => emit(state, news)
  }
}

/** In an outage one dial at a time is made: more would be granted for nothing. */
const useful = (state: PoolState): number => {
  const { dialer, isLending, places } = state
  const waiting = isLending ? wantedByWaiters(state, state.time.now()) : 0
  return Math.max(places.wanted, places.used + places.checking + (dialer.failures > 0 ? Math.min(1, waiting) : waiting))
}

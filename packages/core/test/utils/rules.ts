/**
 * The rules a pool keeps at every moment, checked from outside: by what the pool tells, what its callers saw and what
 * the server counted.
 */
import { type ConnectionPool, PoolError, type PoolStats } from "@effect-pools/core"
import { Cause, Clock, Effect, Exit } from "effect"
import { Violation } from "./turns.ts"
import { type Caller, OwnFailure, timeouts, type World } from "./world.ts"

interface Moment {
  readonly world: World
  readonly now: number
  readonly stats: PoolStats.PoolStats
  readonly connections: ReadonlyArray<ConnectionPool.ConnectionInfo>
}

/** A rule tells what breaks it, or nothing. */
type Rule = (moment: Moment) => unknown

/** Fails with the first rule that does not hold. */
export const rules = Effect.fnUntraced(function*(world: World, when: string) {
  const now = yield* Clock.currentTimeMillis
  const moment = { world, now, stats: yield* world.pool.stats, connections: yield* world.pool.connections }
  noteFailures(moment)
  for (const [rule, check] of Object.entries(all)) {
    const facts = check(moment)
    if (facts !== undefined) return yield* new Violation({ rule, facts: { when, facts, stats: brief(moment.stats) } })
  }
  world.counts = flat(moment.stats)
  world.warmUps = world.warmUps.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
})

const brief = ({ checking, closing, idle, limit, opening, pending, state, total, used }: PoolStats.PoolStats) => ({
  checking,
  closing,
  idle,
  limit,
  opening,
  pending,
  state,
  total,
  used
})

const flat = ({ counts }: PoolStats.PoolStats): Record<string, number> => {
  const { ended, operations, retired, ...rest } = counts
  return { ...rest, ...ended, ...operations, ...retired }
}

const isServing = ({ stats, world }: Moment): boolean => !world.isPaused && stats.state !== "closed"

const all: Record<string, Rule> = {
  "the server and the borrowers see nothing wrong": ({ world }) => world.witness.broken[0],

  "the numbers add up": ({ connections, stats }) => {
    const sum = stats.idle + stats.used + stats.opening + stats.checking + stats.closing
    // One that will be closed when it comes back is lent all the same.
    const counted = (state: string) =>
      connections.filter((one) => (one.state === "draining" ? "used" : one.state) === state).length
    const same = (["idle", "used", "opening", "checking", "closing"] as const).every((s) => stats[s] === counted(s))
    return sum === stats.total && connections.length === stats.total && same ? undefined : { sum }
  },

  "every live connection, and nothing else, is an item of Effect's Pool": ({ stats, world }) => {
    const { items } = world.held.numbers()
    return items === stats.total - stats.opening - stats.closing ? undefined : { items }
  },

  "Effect's Pool has nobody in it that waits and nothing that is to leave": ({ world }) => {
    const { invalidated, waiting } = world.held.numbers()
    return waiting + invalidated === 0 ? undefined : { waiting, invalidated }
  },

  "only idle connections rest in Effect's Pool": ({ stats, world }) => {
    const { items, loans } = world.held.numbers()
    return loans <= items && items - loans <= stats.idle ? undefined : { items, loans }
  },

  "what the minimum needs does not rest": ({ stats, world }) => {
    const { items, loans } = world.held.numbers()
    const isKept = stats.state === "open" || stats.state === "paused"
    const floor = isKept ? Math.min(stats.minConnections, stats.limit, items) : 0
    return loans >= floor ? undefined : { items, loans, floor }
  },

  "no change is left that the dispatcher has not looked at": ({ world: { turns } }) =>
    turns.marksLeft === 0 && turns.marks.every(({ isSet }) => !isSet) ? undefined : { left: turns.marksLeft },

  "no number is below 0": ({ stats }) =>
    Object.values(brief(stats)).some((n) => typeof n === "number" && n < 0) ? stats : undefined,

  "the limit is within its bounds, and no bound goes below its own least": ({ stats, world }) => {
    const { budget, limit, limitedBy, maxConnections, minConnections, sizing } = stats
    const least = Math.max(1, minConnections)
    const isGranted = budget === undefined || limit <= budget.grant
    const isWithin = isGranted && limit >= Math.min(1, budget?.grant ?? 1) && limit <= maxConnections &&
      limit <= (world.limit ?? maxConnections)
    const isKept = (limitedBy !== "sizing" && limitedBy !== "server") || limit >= least
    const isInRange = sizing === undefined || (sizing.size >= sizing.min && sizing.size <= sizing.max)
    return isWithin && isKept && isInRange ? undefined : { limitedBy, set: world.limit, sizing }
  },

  "nobody at a budget has or may have more than is left of it, those that close included": ({ stats, world }) => {
    const { neighbour, witness } = world
    if (neighbour === undefined) return undefined
    const { free, grant, has, total } = neighbour
    const sockets = witness.sockets - witness.givenUp()
    const isKept = free >= 0 && grant >= 0 && sockets + has <= total && stats.total + has <= total
    return isKept ? undefined : { sockets, grant, has, total, budget: stats.budget }
  },

  "nobody waits for a budget that has room": (moment) => {
    const { stats: { limit, limitedBy, total }, world } = moment
    if (world.neighbour === undefined || !isServing(moment) || limitedBy !== "budget" || total < limit) return undefined
    const { free } = world.neighbour
    return wantedBy(moment) > 0 && free > 0 && mayDial(moment) ? { free } : undefined
  },

  "counters never fall": ({ stats, world }) => {
    const counts = flat(stats)
    return Object.entries(world.counts).find(([name, before]) => !(counts[name]! >= before))
  },

  "pending is the callers that hold nothing": ({ stats, world }) =>
    stats.pending === world.waiting.length ? undefined : { waiting: world.waiting.length },

  "used is the connections that callers hold": ({ stats, world }) => {
    const held = new Set(world.holding.map(({ connection }) => connection!.id)).size
    return stats.state === "closed" || stats.used === held ? undefined : { held }
  },

  "a caller is served once": ({ world }) => world.callers.find(({ uses }) => uses > 1),

  "no connection has two borrowers but those who share it, and of these no more than it allows": ({ world }) => {
    const { sharers } = world.setting
    return Object.entries(Object.groupBy(world.holding, ({ connection }) => connection!.id)).find(([, callers]) =>
      callers!.length > (callers!.every(({ isShared }) => isShared) ? sharers : 1)
    )?.[0]
  },

  "the first in line does not wait while it may join a shared connection": (moment) => {
    const { connections, stats, world } = moment
    // With priorities and shares the first in line is for the order to say.
    if (world.setting.traffic !== undefined) return undefined
    if (!isServing(moment) || world.waiting[0]?.isShared !== true || stats.total > stats.limit) return undefined
    return connections.find(({ age, state, tags }) => {
      const sharing = world.holding.filter(({ connection }) => connection!.id === Number(tags["fake"]))
      const hasRoom = sharing.length > 0 && sharing.length < world.setting.sharers
      const isStaying = state === "used" && age < timeouts.maxLifetime / 2 &&
        world.witness.mayBeJoined(Number(tags["fake"]))
      return hasRoom && isStaying && sharing.every(({ isShared }) => isShared)
    })
  },

  "a caller settles for a reason": ({ world }) =>
    world.callers.map(unreasonable).find((reason) => reason !== undefined),

  "a caller waits no longer than acquireTimeout": ({ now, world }) => {
    const late = world.waiting.find(({ startedAt }) => now - startedAt >= timeouts.acquireTimeout)
    return late && { waited: now - late.startedAt }
  },

  "nobody waits past its deadline, nor for long in a degraded pool": ({ now, world }) => {
    const late = world.waiting.find(({ says, startedAt }) => now - startedAt >= (says?.deadline ?? Infinity))
    return late && { waited: now - late.startedAt, says: late.says }
  },

  "who waits is told by priority": ({ stats: { pending, traffic }, world }) => {
    const of = (priority: string) =>
      world.waiting.filter(({ says }) => (says?.priority ?? "normal") === priority).length
    const told = traffic.pending
    if (told.high + told.normal + told.low !== pending) return { told, pending }
    return told.high === of("high") && told.normal === of("normal") && told.low === of("low") ? undefined : told
  },

  "keys add up": ({ stats: { pending, traffic } }) => {
    const told = traffic.keys.reduce((sum, key) => sum + key.pending, 0)
    return told === pending ? undefined : { told, pending }
  },

  "the level is the one that was set": ({ stats: { traffic }, world: { level, setting } }) => {
    if (level === "auto" && setting.traffic?.degradation === "auto") return undefined
    return traffic.level === (level === "auto" ? 0 : level) ? undefined : { level: traffic.level }
  },

  "nobody waits while a fresh connection is idle": (moment) => {
    const { connections, now, stats, world } = moment
    if (!isServing(moment) || world.eligible(stats.limit).length === 0) return undefined
    return connections.find(({ state, tags }) => state === "idle" && world.witness.isFresh(Number(tags["fake"]), now))
  },

  "an idle connection is checked for whoever waits": (moment) => {
    const { connections, stats: { checking }, world: { witness } } = moment
    const idle = connections.some(({ state, tags }) => state === "idle" && !witness.isReplaced(Number(tags["fake"])))
    return isServing(moment) && idle && checking < wantedBy(moment) ? { checking } : undefined
  },

  "nobody waits while there is room to dial": (moment) => {
    if (!isServing(moment)) return undefined
    const { checking, limit, opening, total } = moment.stats
    return total < limit && opening + checking < wantedBy(moment) && mayDial(moment) ? { opening, checking } : undefined
  },

  "the minimum is kept open": (moment) => {
    if (moment.stats.state === "draining" || moment.stats.state === "closed") return undefined
    const { limit, minConnections, total, closing } = moment.stats
    const missing = Math.min(minConnections, limit) - (total - closing)
    return missing > 0 && total < limit && mayDial(moment) ? { missing } : undefined
  },

  "nobody wanted that many connections": ({ stats: { counts, maxConnections, minConnections }, world }) => {
    // Who joins a connection of others would rather have had one for itself.
    const content = world.setting.sharers > 1 ? 0 : counts.acquiredAtOnce
    const waited = world.callers.length - content - counts.refused
    const retired = Object.values(counts.retired).reduce((sum, n) => sum + n, 0)
    // A connection past its time may be lent while its replacement is being opened.
    const wanted = waited + retired + minConnections + world.warmedUp + maxConnections
    return counts.opened > wanted ? { opened: counts.opened, wanted } : undefined
  },

  "a warm-up ends when its connections are open": ({ stats, world }) => {
    const live = stats.idle + stats.used + stats.checking
    // A budget may soon grant what it does not grant yet: the pool waits for it.
    const most = stats.limitedBy === "budget" ? Infinity : stats.limit
    return world.warmUps.find(({ count, fiber }) => fiber.pollUnsafe() === undefined && live >= Math.min(count, most))
      ?.count
  },

  "a drain ends in bounded time": ({ now, world: { drain } }) => {
    const bound = timeouts.drainTimeout + timeouts.closeTimeout
    return drain && drain.fiber.pollUnsafe() === undefined && now - drain.since >= bound
      ? { took: now - drain.since }
      : undefined
  },

  "a drain waits for nobody": ({ stats }) =>
    stats.state === "draining" && stats.pending + stats.used + stats.checking === 0 ? {} : undefined,

  "the pool has no defect of its own": ({ world }) => world.turns.defects.find((defect) => !isOwn(defect))
}

/** The test's own failures, and those that the gates were told to make. */
const isOwn = (defect: unknown): boolean =>
  defect instanceof OwnFailure || (defect instanceof Error && defect.name === "GatedFailure")

const noteFailures = ({ now, stats: { counts }, world }: Moment): void => {
  world.witness.failedToValidate(counts.failedToValidate)
  if (counts.failedToOpen > (world.counts["failedToOpen"] ?? 0)) world.failedAt = now
  else if (counts.opened > (world.counts["opened"] ?? 0)) world.failedAt = undefined
}

/** How many connections the queue can make use of. */
const wantedBy = ({ stats: { limit }, world }: Moment): number => {
  const { holding, setting } = world
  const waiting = world.eligible(limit)
  if (setting.joins !== "busiest" || setting.sharers === 1) return waiting.length
  const sharers = waiting.filter(({ isShared }) => isShared).length
  // Whoever is behind one that wants its own may yet join others; the first in line would have joined them.
  const shared = Object.values(Object.groupBy(holding, ({ connection }) => connection!.id))
    .filter((callers) => callers!.every(({ isShared }) => isShared))
  const places = waiting[0]?.isShared === true
    ? 0
    : shared.reduce((sum, callers) => sum + setting.sharers - callers!.length, 0)
  return waiting.length - sharers + Math.ceil(Math.max(0, sharers - places) / setting.sharers)
}

/** No dial has failed of late, or the time for the next has come. */
const mayDial = ({ now, stats, world }: Moment): boolean => {
  if (stats.breaker === "open") return false
  if (world.failedAt === undefined) return true
  // A breaker that refuses a dial is asked again after 100 ms at the earliest.
  return stats.opening === 0 && now - world.failedAt > Math.max(timeouts.retry, timeouts.breaker) + 100
}

/** How a caller ended that must not end so. */
const unreasonable = ({ exit, isInterrupted, says, uses }: Caller): unknown => {
  if (exit === undefined || Exit.isSuccess(exit)) return undefined
  const { cause } = exit
  if (Cause.hasInterrupts(cause)) return isInterrupted ? undefined : "interrupted by nobody"
  const error = Cause.squash(cause)
  if (error instanceof OwnFailure) return undefined
  if (error instanceof PoolError.PoolError && error.reason._tag === "Overloaded") {
    if (uses > 0) return "shed after it had begun"
    if (says?.priority === "high") return "shed with high priority"
  }
  const name = error instanceof Error ? error.name : String(error)
  return name === "PoolError" || name === "FakeConnectionLost" || name === "GatedFailure" ? undefined : String(error)
}

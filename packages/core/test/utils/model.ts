/**
 * Runs a program against a pool and checks after every step that the pool keeps its rules.
 */
import { ConnectionPool, type PoolConfig, Traffic } from "@effect-pools/core"
import { EffectPools, type GatedConnector } from "@effect-pools/testing"
import { Cause, Clock, Context, Deferred, Effect, Exit, Random, References, Schedule, Scope, Stream } from "effect"
import { type Climb, MakeClimb } from "../../src/internal/sizing/sizer.ts"
import type { Command, Program, Setting } from "./programs.ts"
import { MarkObserver } from "../../src/internal/base/mark.ts"
import * as Neighbour from "./neighbour.ts"
import { rules } from "./rules.ts"
import { counted, type Turns, Violation } from "./turns.ts"
import { Witness } from "./witness.ts"
import { Caller, type Connection, OwnFailure, timeouts, World } from "./world.ts"

const optionsOf = (setting: Setting): ConnectionPool.MakeOptions => ({
  maxConnections: setting.maxConnections,
  minConnections: Math.min(setting.minConnections, setting.maxConnections),
  pendingLimit: setting.pendingLimit,
  freshnessWindow: setting.freshnessWindow,
  acquireTimeout: timeouts.acquireTimeout,
  connectTimeout: timeouts.connectTimeout,
  validateTimeout: timeouts.validateTimeout,
  resetTimeout: timeouts.resetTimeout,
  closeTimeout: timeouts.closeTimeout,
  drainTimeout: timeouts.drainTimeout,
  idleTimeout: 300,
  maxLifetime: timeouts.maxLifetime,
  leakTimeout: 80,
  slowAcquireTimeout: 20,
  healthCheck: 150,
  connectRate: 1_000,
  retry: Schedule.spaced(timeouts.retry).pipe(Schedule.upTo({ times: 2 })),
  breaker: { failureRate: 0.5, minimumDials: 4, openDuration: timeouts.breaker },
  startup: "lazy",
  eventBuffer: 16,
  metrics: false,
  traffic: trafficOf(setting),
  sizing: setting.sizes === true
    ? { mode: "apply", min: Math.max(1, Math.min(setting.minConnections, setting.maxConnections)) }
    : undefined
})

const trafficOf = ({ traffic }: Setting): PoolConfig.PoolOptions["traffic"] =>
  traffic && {
    maxShare: traffic.maxShare,
    share: { low: traffic.shareOfLow },
    weights: { a: traffic.weightOfA },
    shedAfter: traffic.shedAfter,
    degradation: traffic.degradation,
    slack: { normal: 20, low: 50 },
    degradedWait: timeouts.degradedWait
  }

/** Runs a program to its end, the end of the pool included. Fails with the first `Violation`. */
export const run = ({ commands, setting }: Program) =>
  counted((turns) =>
    Effect.gen(function*() {
      const world = yield* makeWorld(setting, turns)
      for (const [step, command] of commands.entries()) {
        yield* execute(world, command)
        yield* turns.settle
        yield* rules(world, `after step ${step}, ${command._tag}`)
      }
      yield* finish(world)
    })
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

/** What a pool tells while a program runs, event by event, and after each step. */
export const trace = ({ commands, setting }: Program) =>
  counted((turns) =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const start = yield* Clock.currentTimeMillis
      const world = yield* makeWorld(setting, turns)
      // To a nanosecond: the clock of each trace begins elsewhere, which moves the last digits of a fraction.
      const since = (at: number) => Math.round((at - start) * 1e6) / 1e6
      yield* Effect.forkDetach(
        Stream.runForEach(world.pool.events, (event) => Effect.sync(() => told.push(event._tag, since(event.at))))
      )
      yield* turns.settle
      for (const command of commands) {
        yield* execute(world, command)
        yield* turns.settle
        const { idle, pending, total, used } = yield* world.pool.stats
        told.push({
          idle,
          pending,
          total,
          used,
          callers: world.callers.map(({ connection, state }) => [state, connection?.id])
        })
      }
      yield* finish(world)
      return told
    })
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Random.withSeed("trace"))

export const makeWorld = Effect.fnUntraced(function*(setting: Setting, turns: Turns) {
  const witness = new Witness({
    ...setting,
    connectTimeout: timeouts.connectTimeout,
    slow: setting.stubborn ? timeouts.verySlow : timeouts.slow
  })
  const scope = yield* Scope.make()
  const held = EffectPools.make()
  const found = { size: setting.maxConnections }
  const shared = yield* sharedBy(setting, scope)
  const pool = yield* Scope.provide(ConnectionPool.make(witness.connector, optionsOf(setting)), scope).pipe(
    Effect.provideContext(shared?.context ?? Context.empty()),
    held.watch,
    Effect.provideService(MarkObserver, (mark) => void turns.marks.push(mark)),
    Effect.provideService(MakeClimb, (range) => new Chance(range, found))
  )
  const runSync = Effect.runSyncWith(yield* Effect.context<never>())
  witness.givenUp = () => runSync(pool.stats).counts.closesTimedOut
  if (shared !== undefined) witness.room = () => shared.neighbour.total - shared.neighbour.has
  return new World({ turns, witness, pool, held, scope, setting, found, neighbour: shared?.neighbour })
})

/** The budget that a pool shares, which outlives it. */
const sharedBy = ({ budget, minConnections }: Setting, scope: Scope.Scope) => {
  if (budget === undefined) return Effect.succeed(undefined)
  const { floor, total } = budget
  return Scope.provide(
    Neighbour.make({ floor, total: Math.max(total, Math.max(floor, minConnections) + floor) }),
    scope
  )
}

/** A climb that goes wherever the program says. */
class Chance implements Climb {
  size: number
  next = 0
  why = "by chance"
  rate = 0
  isSettled = false
  private readonly min: number
  private readonly max: number
  private readonly found: { readonly size: number }

  constructor({ max, min, start }: { min: number; max: number; start: number }, found: { readonly size: number }) {
    this.min = min
    this.max = max
    this.size = start
    this.found = found
  }

  look(): undefined {
    this.size = Math.max(this.min, Math.min(this.max, this.found.size))
  }

  moved(): void {
    this.next = this.size
  }
}

const pick = <A>(from: ReadonlyArray<A>, which: number): A | undefined => from[which % Math.max(1, from.length)]

const execute = (world: World, command: Command): Effect.Effect<unknown, unknown> => {
  const { pool, witness } = world
  switch (command._tag) {
    case "Lease":
      return lease(world, command)
    case "Advance":
      return world.turns.advance(command.by)
    case "Finish":
      return ifAny(pick(world.holding, command.which), (caller) => Deferred.succeed(caller.isToEnd, undefined))
    case "Interrupt":
      return ifAny(pick(world.unsettled, command.which), interrupt)
    case "Behave":
      return Effect.sync(() => witness.gated.set(command.step, command.behaviour))
    case "AllOk":
      return Effect.sync(() => allOk(witness.gated))
    case "Break":
      return ifAny(
        pick(witness.fake.connections, command.which),
        (connection) =>
          command.isSilent ? Effect.sync(() => witness.fake.cutSilently(connection)) : breakIt(world, connection)
      )
    case "Invalidate":
      return ifAny(pick(world.holding, command.which), (caller) => {
        witness.retired(caller.connection!.id)
        return pool.invalidate(caller.connection!)
      })
    case "Retire":
      return Effect.flatMap(pool.connections, (all) =>
        ifAny(pick(all, command.which), ({ id, tags }) => {
          witness.retired(Number(tags["fake"]))
          return pool.retire(id)
        }))
    case "RetireAll":
      witness.replaceAll()
      return pool.retireAll
    case "Pause":
      world.isPaused = world.drain === undefined
      return pool.pause
    case "Resume":
      world.isPaused = false
      return pool.resume
    case "SetLimit":
      return Effect.tap(Effect.exit(pool.setLimit(command.limit)), (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) world.limit = command.limit
        }))
    case "Size":
      world.found.size = command.size
      return Effect.void
    case "Full":
      return Effect.sync(() => witness.fullServer())
    case "NeighbourWants":
      return Effect.sync(() => world.neighbour?.want(command.count))
    case "NeighbourMoves":
      return Effect.sync(() => world.neighbour?.move())
    case "WarmUp":
      return warmUp(world, command.count)
    case "StopWarmUps":
      return Effect.sync(() => world.warmUps.forEach(({ fiber }) => fiber.interruptUnsafe()))
    case "Drain":
      return drain(world)
    case "Degrade":
      world.level = command.level
      return pool.degrade(command.level)
    case "Clear":
      return pool.clear(command.priority)
  }
}

const ifAny = <A, B, E>(value: A | undefined, f: (value: A) => Effect.Effect<B, E>): Effect.Effect<unknown, E> =>
  value === undefined ? Effect.void : f(value)

export const allOk = (gated: GatedConnector.GatedConnector): void => {
  for (const step of ["connect", "validate", "reset", "close"] as const) gated.set(step, "ok")
}

export const interrupt = (caller: Caller): Effect.Effect<void> =>
  Effect.sync(() => {
    caller.isInterrupted = true
    caller.fiber?.interruptUnsafe()
  })

const breakIt = Effect.fnUntraced(function*(world: World, connection: Connection) {
  const all = yield* world.pool.connections
  const info = all.find(({ tags }) => tags["fake"] === String(connection.id))
  world.witness.breakIt(connection, info !== undefined && info.state !== "opening" && info.state !== "closing")
})

const warmUp = Effect.fnUntraced(function*(world: World, count: number) {
  world.warmedUp += count
  world.warmUps.push({ count, fiber: yield* Effect.forkDetach(world.pool.warmUp(count)) })
})

const drain = Effect.fnUntraced(function*(world: World) {
  if (world.drain !== undefined) return
  world.isPaused = false
  world.drain = { since: yield* Clock.currentTimeMillis, fiber: yield* Effect.forkDetach(world.pool.drain) }
})

/** Starts a caller and notes what becomes of it. */
export const lease = Effect.fnUntraced(function*(world: World, command: Extract<Command, { _tag: "Lease" }>) {
  const caller = new Caller({
    number: world.callers.length,
    startedAt: yield* Clock.currentTimeMillis,
    isLate: world.drain !== undefined,
    isShared: command.how === "withShared" && world.setting.sharers > 1,
    says: command.says
  })
  world.callers.push(caller)
  const use = (connection: Connection) => hold(world, caller, connection, command)
  const { pool } = world
  const plain = command.how === "acquire" ? Effect.scoped(Effect.flatMap(pool.acquire, use)) : pool[command.how](use)
  const whole = command.says === undefined ? plain : Traffic.with(plain, command.says)
  caller.fiber = yield* Effect.forkDetach(
    Effect.onExit(whole, (exit) =>
      Effect.sync(() => {
        caller.state = "settled"
        caller.exit = exit
      }))
  )
  return caller
})

/** A sharer that is served the moment it comes joins the connection that the setting says. */
const joins = ({ counts, holding, pool, setting, witness }: World, joined: Connection): void => {
  const { counts: { acquiredAtOnce }, limit, state, total } = Effect.runSync(pool.stats)
  const isAtOnce = counts["acquiredAtOnce"] !== undefined && acquiredAtOnce > counts["acquiredAtOnce"]
  if (!isAtOnce || state !== "open" || total > limit) return
  const sharersOf = (id: number) => holding.filter((each) => each.isShared && each.connection!.id === id).length
  const others = sharersOf(joined.id) - 1
  const better = Effect.runSync(pool.connections).find(({ age, state, tags }) => {
    const id = Number(tags["fake"])
    const isOpen = state === "used" && age < timeouts.maxLifetime / 2 && witness.mayBeJoined(id)
    const sharers = sharersOf(id)
    if (id === joined.id || !isOpen || sharers === 0 || sharers >= setting.sharers) return false
    return setting.joins === "busiest" ? sharers > others : others > 0 && sharers < others
  })
  if (better !== undefined) witness.broken.push(`a sharer joined ${others} others, and not those of ${better.id}`)
}

/** Of these the one that came first is served first. */
const isAlike = (one: Caller, other: Caller): boolean =>
  one.says?.priority === other.says?.priority && one.says?.fairKey === other.says?.fairKey

const hold = (
  world: World,
  caller: Caller,
  connection: Connection,
  { end, hold }: Extract<Command, { _tag: "Lease" }>
) =>
  Effect.suspend(() => {
    caller.state = "holding"
    caller.connection = connection
    caller.uses++
    world.witness.lent(connection)
    if (caller.isLate) world.witness.broken.push("a caller was admitted after the drain began")
    if (caller.isShared) joins(world, connection)
    if (world.waiting.some((other) => other.number < caller.number && isAlike(other, caller))) {
      world.witness.broken.push(`caller ${caller.number} was served before one that came first`)
    }
    if (!world.hasRoom(caller, Effect.runSync(world.pool.stats).limit)) {
      world.witness.broken.push(`caller ${caller.number} was served beyond the share of its key or priority`)
    }
    const waits = hold === "long" ? Deferred.await(caller.isToEnd) : hold === 0 ? Effect.void : Effect.sleep(hold)
    const ends = end === "ok" ? Effect.void : end === "fail" ? new OwnFailure() : Effect.die(new OwnFailure())
    const { fake } = world.witness
    // Whoever shares uses it for a moment only: not even then may somebody have it for itself.
    if (caller.isShared) return Effect.andThen(fake.use(connection), Effect.andThen(waits, ends))
    return fake.use(connection, Effect.andThen(waits, ends))
  }).pipe(Effect.onExit((exit) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      caller.state = "ending"
      world.witness.returned(connection)
      if (connection.isBroken) world.witness.endedBroken(connection)
      // Of those who share only the last proves the connection, and the protocol keeps them apart.
      if (caller.isShared) return
      if (Exit.isSuccess(exit)) world.witness.proved(connection, at)
      else if (Cause.hasInterrupts(exit.cause)) world.witness.interrupted(connection)
    })
  ))

/** Ends the pool by closing its scope, and checks that nothing is left of it. */
export const finish = Effect.fnUntraced(function*(world: World) {
  const { callers, turns } = world
  const { closeTimeout, drainTimeout, resetTimeout, validateTimeout } = timeouts
  const closing = yield* Effect.forkDetach(Scope.close(world.scope, Exit.void))
  yield* turns.advance(drainTimeout + closeTimeout)
  if (closing.pollUnsafe() === undefined) {
    return yield* broken("the scope closes within bounds", yield* world.pool.stats)
  }
  for (const caller of callers) Deferred.doneUnsafe(caller.isToEnd, Effect.void)
  yield* turns.advance(resetTimeout + validateTimeout + 45)
  yield* rules(world, "after the end")
  const { idle, pending, state, total, used } = yield* world.pool.stats
  if (state !== "closed" || total + idle + used + pending > 0) {
    return yield* broken("a closed pool is empty", { state, total, idle, used, pending })
  }
  if (world.unsettled.length > 0) return yield* broken("every caller settles", { unsettled: world.unsettled.length })
  for (const { fiber } of world.warmUps) {
    if (fiber.pollUnsafe() === undefined) return yield* broken("every warm-up settles", {})
  }
  yield* nothingLeft(world)
  yield* leftToTheNeighbour(world)
})

/** A pool that has ended leaves its part of the budget to the others. */
const leftToTheNeighbour = Effect.fnUntraced(function*({ neighbour, turns }: World) {
  if (neighbour === undefined) return
  const { total } = neighbour
  neighbour.want(total)
  yield* turns.settle
  const { grant } = neighbour
  if (grant !== total) return yield* broken("the budget of a pool that has ended is another's", { grant, total })
})

/** A close that hangs for ever is the backend's; everything else must be gone. */
const nothingLeft = ({ witness }: World): Effect.Effect<void, Violation> => {
  const hangs = witness.gated.running("close")
  const { leaked } = witness.fake
  if (leaked !== hangs) return broken("everything opened is closed", { leaked, hangs })
  const left = witness.sockets - hangs
  return left === 0 ? Effect.void : broken("the server has no socket left", { left })
}

export const broken = (rule: string, facts: unknown): Effect.Effect<never, Violation> =>
  Effect.fail(new Violation({ rule, facts }))

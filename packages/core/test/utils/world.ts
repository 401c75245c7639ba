/**
 * A pool under test: its callers, its backend and everything that happens to it.
 */
import type { ConnectionPool, Traffic } from "@effect-pools/core"
import type { EffectPools, FakeConnector } from "@effect-pools/testing"
import { Data, Deferred, type Exit, type Fiber, type Scope } from "effect"
import type { Neighbour } from "./neighbour.ts"
import type { Command, Setting } from "./programs.ts"
import type { Turns } from "./turns.ts"
import type { Witness } from "./witness.ts"

export type Connection = FakeConnector.FakeConnection

/** What a borrower fails or dies with when its program says so. */
export class OwnFailure extends Data.TaggedError("OwnFailure")<{}> {}

type LeaseCommand = Extract<Command, { readonly _tag: "Lease" }>

export class Caller {
  readonly number: number
  readonly startedAt: number
  /** It came after the drain began. */
  readonly isLate: boolean
  readonly isShared: boolean
  readonly says: LeaseCommand["says"]
  readonly isToEnd: Deferred.Deferred<void> = Deferred.makeUnsafe()
  state: "waiting" | "holding" | "ending" | "settled" = "waiting"
  connection: Connection | undefined = undefined
  uses = 0
  isInterrupted = false
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  constructor(options: Pick<Caller, "number" | "startedAt" | "isLate" | "isShared" | "says">) {
    this.number = options.number
    this.isLate = options.isLate
    this.isShared = options.isShared
    this.says = options.says
    this.startedAt = options.startedAt
  }
}

export interface WarmUp {
  readonly count: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export const timeouts = {
  acquireTimeout: 200,
  connectTimeout: 50,
  validateTimeout: 40,
  resetTimeout: 30,
  closeTimeout: 60,
  drainTimeout: 100,
  slow: 25,
  /** Longer than a dial and its close may take. */
  verySlow: 150,
  maxLifetime: 900,
  degradedWait: 60,
  retry: 15,
  breaker: 100
}

/** A pool under test with everything that happens to it. */
export class World {
  readonly turns: Turns
  readonly witness: Witness
  readonly pool: ConnectionPool.ConnectionPool<Connection>
  /** The `Pool` of Effect that holds the connections. */
  readonly held: EffectPools.EffectPools
  readonly scope: Scope.Closeable
  readonly setting: Setting
  readonly callers: Array<Caller> = []
  warmUps: Array<WarmUp> = []
  warmedUp = 0
  drain: { readonly since: number; readonly fiber: Fiber.Fiber<ConnectionPool.DrainReport> } | undefined = undefined
  isPaused = false
  /** The level of degradation that was set last. */
  level: Traffic.Level | "auto" = "auto"
  /** When a dial was last seen to have failed, until one succeeds. */
  failedAt: number | undefined = undefined
  counts: Readonly<Record<string, number>> = {}
  /** The limit that was set last. */
  limit: number | undefined = undefined
  /** The size that the pool finds next. */
  readonly found: { size: number }
  /** The one that shares the budget of the pool, if it has one. */
  readonly neighbour: Neighbour | undefined

  constructor(
    options: Pick<World, "turns" | "witness" | "pool" | "held" | "scope" | "setting" | "found" | "neighbour">
  ) {
    this.turns = options.turns
    this.witness = options.witness
    this.pool = options.pool
    this.held = options.held
    this.scope = options.scope
    this.setting = options.setting
    this.found = options.found
    this.neighbour = options.neighbour
  }

  get waiting(): ReadonlyArray<Caller> {
    return this.callers.filter(({ state }) => state === "waiting")
  }

  /** Those that wait and whose key and priority do not hold their whole share. */
  eligible(limit: number): ReadonlyArray<Caller> {
    return this.waiting.filter((caller) => this.hasRoom(caller, limit))
  }

  /** Whether its key and its priority hold less than their share, or nothing at all. */
  hasRoom(caller: Caller, limit: number): boolean {
    const { setting: { sharers, traffic } } = this
    if (traffic === undefined) return true
    const held = (isSame: (other: Caller) => boolean): number =>
      this.holding.filter((other) => other !== caller && isSame(other))
        .reduce((sum, { isShared }) => sum + (isShared ? 1 : sharers), 0)
    const isWithin = (part: number, units: number): boolean =>
      part >= 1 || units === 0 || units < Math.max(1, Math.floor(part * limit * sharers))
    return isWithin(traffic.maxShare, held(({ says }) => says?.fairKey === caller.says?.fairKey)) &&
      (caller.says?.priority !== "low" || isWithin(traffic.shareOfLow, held(({ says }) => says?.priority === "low")))
  }

  get holding(): ReadonlyArray<Caller> {
    return this.callers.filter(({ state }) => state === "holding")
  }

  get unsettled(): ReadonlyArray<Caller> {
    return this.callers.filter(({ state }) => state !== "settled")
  }
}

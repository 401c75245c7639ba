/**
 * Processes of a fleet without their pools, on a clock that runs as fast as they can: each has the part of a budget that a
 * process has, and a real Redis keeps the shares.
 */
import { Clock, Effect, Latch, Random, type Scope } from "effect"
import type { Redis } from "effect/persistence"
import { Fleet } from "../../../core/src/internal/budget/fleet.ts"
import { reportScript } from "../../../core/src/internal/budget/fleetScript.ts"
import { Ledger, type Tenant } from "../../../core/src/internal/budget/ledger.ts"
import { partsOf, readAnswer } from "../../../core/src/internal/budget/redisStore.ts"
import type { Store } from "../../../core/src/internal/budget/store.ts"
import { SteppedClock } from "./clock.ts"

/** One pool, which opens and closes at once what it may. */
class Member {
  useful = 0
  has = 0
  grant = 0
  ledger: Ledger | undefined = undefined

  /** Opens what it may and wants, and closes what it must. */
  step(): void {
    const before = this.has
    this.has = Math.min(this.grant, Math.max(this.has, this.useful))
    if (this.has < before) this.ledger!.freed()
  }

  want(useful: number, ask: () => void): void {
    this.useful = useful
    if (useful > this.grant) ask()
  }
}

export interface World {
  readonly members: ReadonlyArray<Member & { readonly ask: () => void }>
  /** Reports so far. */
  readonly reports: () => number
  /** Lets so many milliseconds go by, in steps. */
  readonly run: (millis: number, look: () => void) => Effect.Effect<void>
}

const step = 100

export const make = (
  redis: Redis.Redis["Service"],
  { name, processes, total }: { readonly name: string; readonly processes: number; readonly total: number }
): Effect.Effect<World, never, Scope.Scope> =>
  Effect.gen(function*() {
    const random = yield* Random.Random
    const clock = new SteppedClock(1_000_000_000, step)
    let reports = 0
    const calls = { underWay: 0 }
    const quiet = Latch.makeUnsafe(true)
    const answered = () => {
      if (--calls.underWay === 0) quiet.openUnsafe()
    }
    const store: Store = {
      report: (report) =>
        Effect.suspend(() => {
          reports++
          calls.underWay++
          quiet.closeUnsafe()
          return Effect.flatMap(redis.eval(reportScript)(name, partsOf(report), clock.now()), readAnswer)
        }).pipe(Effect.ensuring(Effect.sync(answered))),
      processes: () => Effect.succeed([])
    }
    const later: Array<() => void> = []
    const members: Array<Member & { readonly ask: () => void }> = []
    for (let at = 0; at < processes; at++) {
      const member = new Member()
      const ledger = new Ledger({ name, total, now: clock.now, later: (run) => void later.push(run) })
      member.ledger = ledger
      const fleet = new Fleet({
        ledger,
        store,
        now: clock.now,
        random,
        options: { total, id: `p${at}`, label: `p${at}` }
      })
      const seat = ledger.join(tenantOf(member, total))
      members.push(Object.assign(member, { ask: () => ledger.ask(seat) }))
      yield* Effect.forkScoped(Effect.provideService(ledger.run, Clock.Clock, clock.service))
      yield* Effect.forkScoped(Effect.provideService(fleet.run, Clock.Clock, clock.service))
    }
    const settle = Effect.gen(function*() {
      // A fiber that was woken may need several turns until it calls or sleeps again.
      for (let turns = 0; turns < 10; turns++) {
        if (later.length > 0 || calls.underWay > 0) turns = 0
        for (const run of later.splice(0)) run()
        yield* quiet.await
        yield* Effect.yieldNow
      }
    })
    return {
      members,
      reports: () => reports,
      run: Effect.fnUntraced(function*(millis, look) {
        for (let passed = 0; passed < millis; passed += step) {
          clock.go()
          yield* settle
          for (const member of members) member.step()
          yield* settle
          look()
        }
      })
    }
  })

const tenantOf = (member: Member, total: number): Tenant => ({
  name: "pool",
  kind: "service",
  floor: 1,
  has: () => member.has,
  useful: () => member.useful,
  most: () => total,
  granted: (grant) => {
    member.grant = grant
  },
  told: () => {}
})

/**
 * A real PostgreSQL: reports, pages and checkouts on four connections, and a server that halves its speed for a while. Second by
 * second: how long a checkout takes, how many of each are served, and the level of degradation.
 */
import { PostgresPool } from "@effect-pools/postgres"
import * as Traffic from "@effect-pools/core/Traffic"
import { EmbeddedPostgres } from "@effect-pools/testing"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { percentile, seeded } from "./numbers.ts"

export interface Postgres {
  readonly _tag: "postgres"
  /** Whether the pool is told who matters. */
  readonly isTold: boolean
  /** How many seconds the server runs at full speed, at half of it, and at full speed again. */
  readonly seconds: readonly [before: number, slow: number, after: number]
}

/** The numbers of a phase. */
export interface Phase {
  /** Milliseconds from asking to the answer. */
  readonly checkout: { readonly p50: number; readonly p99: number; readonly failed: number; readonly served: number }
  readonly page: { readonly p99: number; readonly failed: number; readonly served: number }
  readonly report: { readonly failed: number; readonly served: number }
}

export interface Outcome {
  readonly before: Phase
  readonly slow: Phase
  readonly after: Phase
  /** At the end of each second. */
  readonly levels: ReadonlyArray<number>
}

type Kind = "checkout" | "page" | "report"

const kinds: Readonly<
  Record<Kind, { readonly millis: number; readonly perSecond: number; readonly traffic: Traffic.TrafficOptions }>
> = {
  checkout: { millis: 5, perSecond: 30, traffic: { priority: "high" } },
  page: { millis: 20, perSecond: 90, traffic: { priority: "normal" } },
  report: { millis: 100, perSecond: 25, traffic: { priority: "low" } }
}

/** The reports alone ask for more than half of the four connections, all together for a little more than there is. */
const maxConnections = 4
const acquireTimeout = 500

class Tally {
  took: Record<Kind, Array<number>> = { checkout: [], page: [], report: [] }
  failed: Record<Kind, number> = { checkout: 0, page: 0, report: 0 }

  get phase(): Phase {
    const { failed, took } = this
    const of = (kind: Kind) => ({ p99: percentile(took[kind], 0.99), failed: failed[kind], served: took[kind].length })
    return {
      checkout: { p50: percentile(took.checkout, 0.5), ...of("checkout") },
      page: of("page"),
      report: { failed: failed.report, served: took.report.length }
    }
  }
}

const play = ({ isTold, seconds }: Postgres): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const { url } = yield* EmbeddedPostgres.make()
    const pool = yield* PostgresPool.make({
      url,
      minConnections: maxConnections,
      maxConnections,
      acquireTimeout,
      slowAcquireTimeout: acquireTimeout / 2,
      pendingLimit: 1000,
      metrics: false,
      traffic: isTold ? { degradation: "auto", degradedWait: 200 } : {}
    })
    yield* pool.query`CREATE TABLE server (slowness float NOT NULL)`
    yield* pool.query`INSERT INTO server VALUES (1)`
    let tally = new Tally()
    const levels: Array<number> = []
    const one = (kind: Kind, key: number): Effect.Effect<void> => {
      const { millis, traffic } = kinds[kind]
      const asked = performance.now()
      const into = tally
      const statement = pool.query`SELECT pg_sleep(${millis / 1000} * slowness)::text FROM server`
      return Effect.match(isTold ? Traffic.with(statement, { ...traffic, fairKey: `${kind} ${key}` }) : statement, {
        onFailure: () => void into.failed[kind]++,
        onSuccess: () => void into.took[kind].push(performance.now() - asked)
      })
    }
    const random = seeded(11)
    const arrivals = (kind: Kind) => {
      const gap = 1000 / kinds[kind].perSecond
      const next = (count: number): Effect.Effect<never, never, Scope.Scope> =>
        Effect.sleep(-gap * Math.log(1 - random())).pipe(
          Effect.andThen(Effect.suspend(() => Effect.forkScoped(one(kind, count % 100)))),
          Effect.andThen(Effect.suspend(() => next(count + 1)))
        )
      return Effect.forkScoped(next(0))
    }
    yield* Effect.forEach(["checkout", "page", "report"] as const, arrivals)
    const phase = (slowness: number, seconds: number) =>
      Effect.gen(function*() {
        // Beside the pool's traffic: the server changes its speed, nobody asks for it.
        yield* Effect.retry(Traffic.high(pool.query`UPDATE server SET slowness = ${slowness}`), { times: 20 })
        tally = new Tally()
        const own = tally
        for (let second = 0; second < seconds; second++) {
          yield* Effect.sleep("1 second")
          levels.push(yield* pool.degradation)
        }
        return own.phase
      })
    const [before, slow, after] = seconds
    return {
      before: yield* phase(1, before),
      slow: yield* phase(2, slow),
      after: yield* phase(1, after),
      levels
    }
  })

export const run = (scene: Postgres): Promise<Outcome> => Effect.runPromise(Effect.scoped(play(scene)))

/**
 * A service whose every answer takes a connection for 100 ms, of which there are ten: it can give a hundred answers a second.
 * Its clients give up after a second.
 */
import { ConnectionPool, Traffic } from "@effect-pools/core"
import { Clock, Effect, Random } from "effect"

export const capacity = 100
export const patience = 1_000
const lease = 100

/** One second of the service. */
export interface Second {
  /** Answers that somebody still waited for. */
  answered: number
  /** The same of clients that matter most, and how many of those asked. */
  answeredHigh: number
  askedHigh: number
}

export interface Way {
  readonly name: string
  readonly options: ConnectionPool.MakeOptions
  /** Whether the pool is told who matters, and how long a client waits. */
  readonly isTold: boolean
}

/** One in ten matters most, three in ten least. */
const priorityOf = (chance: number): Traffic.Priority => chance < 0.1 ? "high" : chance < 0.7 ? "normal" : "low"

/** Runs the service for some seconds with so many times as many clients as it can answer. */
export const run = ({ isTold, name, options }: Way, load: number, seconds: number) =>
  Effect.gen(function*() {
    const connect = () => Effect.succeed({})
    const pool = yield* ConnectionPool.make({ connect, reset: () => undefined }, {
      name,
      minConnections: 10,
      maxConnections: 10,
      pendingLimit: 10_000,
      metrics: false,
      slowAcquireTimeout: "20 seconds",
      ...options
    })
    const start = yield* Clock.currentTimeMillis
    const all = Array.from({ length: seconds }, (): Second => ({ answered: 0, answeredHigh: 0, askedHigh: 0 }))
    const secondAt = (at: number) => all[Math.floor((at - start) / 1000)]
    const client = Effect.gen(function*() {
      const asked = yield* Clock.currentTimeMillis
      const priority = priorityOf(yield* Random.next)
      const second = secondAt(asked)
      if (second === undefined) return
      if (priority === "high") second.askedHigh++
      const answer = pool.withConnection(() => Effect.sleep(lease))
      const traffic = { priority, fairKey: `client ${yield* Random.nextInt}`, deadline: patience }
      const isAnswered = yield* Effect.isSuccess(isTold ? Traffic.with(answer, traffic) : answer)
      const now = yield* Clock.currentTimeMillis
      if (!isAnswered || now - asked > patience) return
      const then = secondAt(now)
      if (then !== undefined) then.answered++
      if (priority === "high") second.answeredHigh++
    })
    const gap = 1_000 / (capacity * load)
    for (let count = 0; count < seconds * capacity * load; count++) {
      const behind = (yield* Clock.currentTimeMillis) - start - count * gap
      if (behind < 0) yield* Effect.sleep(-behind)
      yield* Effect.forkScoped(client)
    }
    yield* Effect.sleep(patience + lease)
    return all
  }).pipe(Effect.scoped)

/** Short statements at a fixed pace, with and without 5 % of statements that take 2 s beside them. */
import { Console, Effect } from "effect"
import { Alone, servers } from "./world.ts"

const perSecond = 300
const heavyShare = 0.05
const rounds = 6
/** Seconds. */
const length = 8

const percentile = (values: ReadonlyArray<number>, at: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))] ?? 0

interface Tally {
  readonly short: Array<number>
  heavy: number
  refused: number
}

/** Sends statements at their times, whoever still waits. */
const send = (tally: Tally, withHeavy: boolean) =>
  Effect.gen(function*() {
    const began = performance.now()
    const count = perSecond * length
    for (let sent = 0; sent < count; sent++) {
      const due = began + sent * 1_000 / perSecond
      const wait = due - performance.now()
      if (wait > 0) yield* Effect.sleep(wait)
      const short = Effect.gen(function*() {
        const at = performance.now()
        yield* Alone.query`SELECT ${sent}::int AS n, pg_sleep(0.002)`
        tally.short.push(performance.now() - at)
      })
      yield* Effect.forkChild(Effect.ignore(short), { startImmediately: true })
      if (!withHeavy || sent % (1 / heavyShare) !== 0) continue
      const heavy = Effect.match(Alone.query`SELECT pg_sleep(2)`, {
        onSuccess: () => void tally.heavy++,
        onFailure: () => void tally.refused++
      })
      yield* Effect.forkScoped(heavy, { startImmediately: true })
    }
    yield* Effect.sleep("300 millis")
  }).pipe(Effect.scoped)

const measured = (name: string, own: Effect.Success<ReturnType<typeof servers>>, heavy: {} | undefined) =>
  Effect.gen(function*() {
    const without: Tally = { short: [], heavy: 0, refused: 0 }
    const beside: Tally = { short: [], heavy: 0, refused: 0 }
    yield* send({ short: [], heavy: 0, refused: 0 }, false)
    for (let round = 0; round < rounds; round++) {
      const isWith = round % 2 === 1
      yield* send(isWith ? beside : without, isWith)
    }
    const [before, after] = [percentile(without.short, 0.99), percentile(beside.short, 0.99)]
    yield* Console.log(
      `${name}: p99 of the short ones ${before.toFixed(2)} ms without and ${after.toFixed(2)} ms with ` +
        `${heavyShare * 100} % of 2 s, ${(after / before).toFixed(2)} x (median ${
          percentile(without.short, 0.5).toFixed(2)
        } and ` +
        `${percentile(beside.short, 0.5).toFixed(2)} ms); ${beside.heavy} heavy ones done, ${beside.refused} refused`
    )
    return after / before
  }).pipe(
    Effect.provide(
      Alone.layerPoolOnly({
        url: own.primary.url,
        maxConnections: 20,
        minConnections: 20,
        acquireTimeout: "5 seconds",
        ...(heavy === undefined ? {} : { heavy })
      })
    )
  )

export const heavy: Effect.Effect<void, unknown> = Effect.gen(function*() {
  const own = yield* servers(0)
  yield* measured("without the option heavy", own, undefined)
  const ratio = yield* measured("with heavy: {}", own, {})
  if (ratio > 1.3) return yield* Effect.die(new Error("the short ones waited for the heavy ones"))
}).pipe(Effect.scoped)

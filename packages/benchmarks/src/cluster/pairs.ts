/** Pairs of a write and a read of it, by 64 callers, while three replicas apply changes 0, 0.3 and 2 s late. */
import { ClusterError, Consistency } from "@effect-pools/postgres"
import { Console, Duration, Effect } from "effect"
import { Alone, costing, type Cpu, Db, live, servers } from "./world.ts"

const callers = 64
const delays = [0, 300, 2_000]
const round = 20_000

interface Tally {
  /** When no more are begun. */
  readonly deadline: number
  done: number
  stale: number
  refused: number
}

const create = "CREATE TABLE pair (id int PRIMARY KEY, n int) WITH (fillfactor = 20)"
const fill = `INSERT INTO pair SELECT id, 0 FROM generate_series(0, ${callers - 1}) AS id`

/** One caller, with writes and reads in turn as long as there are pairs to do. */
const caller = <E, R>(
  id: number,
  tally: Tally,
  until: number,
  write: (id: number, n: number) => Effect.Effect<unknown, E, R>,
  read: (id: number) => Effect.Effect<ReadonlyArray<{ readonly n: number }>, E, R>
) =>
  Effect.gen(function*() {
    for (let n = 1; tally.done < until && performance.now() < tally.deadline; n++) {
      tally.done++
      yield* write(id, n)
      const [row] = yield* read(id)
      if (row?.n !== n) tally.stale++
    }
  })

const all = <E, R>(f: (id: number) => Effect.Effect<void, E, R>) =>
  Effect.forEach(Array.from({ length: callers }, (_, id) => id), f, { concurrency: "unbounded", discard: true })

const onCluster = (tally: Tally, until: number) => {
  const read = (id: number): Effect.Effect<ReadonlyArray<{ readonly n: number }>, unknown, Db> =>
    Effect.catchIf(
      Db.read<{ readonly n: number }>`SELECT n FROM pair WHERE id = ${id}`,
      (error) => error instanceof ClusterError.ClusterError,
      () => {
        tally.refused++
        return read(id)
      }
    )
  return all((id) =>
    Consistency.session(caller(id, tally, until, (id, n) => Db.query`UPDATE pair SET n = ${n} WHERE id = ${id}`, read))
  )
}

const onPrimary = (tally: Tally, until: number) =>
  all((id) =>
    caller(
      id,
      tally,
      until,
      (id, n) => Alone.query`UPDATE pair SET n = ${n} WHERE id = ${id}`,
      (id) => Alone.query<{ readonly n: number }>`SELECT n FROM pair WHERE id = ${id}`
    )
  )

const shown = ({ primary, program, replicas }: Cpu, pairs: number): string => {
  const each = (seconds: number) => `${(seconds / pairs * 1e6).toFixed(0)} us`
  return `CPU a pair: program ${each(program)}, primary ${each(primary)}, replicas ${each(replicas)}`
}

const alone = (deadline: number) =>
  Effect.gen(function*() {
    const own = yield* servers(0)
    return yield* Effect.gen(function*() {
      yield* Alone.query((sql) => sql.unsafe(create))
      yield* Alone.query((sql) => sql.unsafe(fill))
      const tally: Tally = { deadline, done: 0, stale: 0, refused: 0 }
      yield* onPrimary(tally, round)
      const timed = Effect.timed(onPrimary(tally, 4 * round))
      const { cpu, value: [took] } = yield* costing(own, timed)
      const pairs = 3 * round
      const rate = pairs / Duration.toSeconds(took)
      yield* Console.log(`primary alone: ${pairs} pairs at ${rate.toFixed(0)}/s. ${shown(cpu, pairs)}`)
      return { rate, cpu: cpu.primary / pairs }
    }).pipe(Effect.provide(Alone.layerPoolOnly({ url: own.primary.url, maxConnections: 16 })))
  }).pipe(Effect.scoped)

/** As many as can be done in some minutes. Fails when a read was stale, or too few of them went to replicas. */
export const pairs = (count: number, minutes: number): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { cpu: ofAlone, rate: rateAlone } = yield* alone(Infinity)
    const deadline = performance.now() + minutes * 60_000
    const own = yield* servers(delays.length)
    yield* Effect.gen(function*() {
      yield* Db.query((sql) => sql.unsafe(create))
      yield* Db.query((sql) => sql.unsafe(fill))
      yield* Effect.forEach(own.replicas, (replica, index) => replica.delayReplay(delays[index]!))
      const tally: Tally = { deadline, done: 0, stale: 0, refused: 0 }
      yield* onCluster(tally, Math.min(round, count))
      const warm = tally.done
      const progress = Effect.forever(
        Effect.andThen(
          Effect.sleep("30 seconds"),
          Effect.suspend(() => Console.log(`  ${tally.done} pairs, ${tally.stale} stale, ${tally.refused} refused`))
        )
      )
      const timed = Effect.timed(onCluster(tally, count))
      const { cpu, value: [took] } = yield* costing(own, Effect.raceFirst(timed, progress))
      const measured = Math.max(1, tally.done - warm)
      const rate = measured / Duration.toSeconds(took)
      const [primary = 0, ...others] = (yield* Db.nodes).map(({ served }) => served)
      const reads = others.reduce((a, b) => a + b, primary)
      const off = 1 - primary / reads
      yield* Console.log(
        `a primary and three replicas: ${measured} pairs at ${rate.toFixed(0)}/s. ${shown(cpu, measured)}`
      )
      yield* Console.log(
        `${tally.done} pairs: ${tally.stale} stale, ${tally.refused} refused and read again; ` +
          `reads: ${primary} on the primary, ${others.join(", ")} on the replicas, so ${
            (off * 100).toFixed(1)
          } % off the primary`
      )
      yield* Console.log(
        `throughput ${(rate / rateAlone).toFixed(2)} x the primary alone; its CPU a pair ` +
          `${(ofAlone / (cpu.primary / measured)).toFixed(2)} x less, which is what a machine of its own would gain`
      )
      if (tally.stale > 0 || off < 0.8) {
        return yield* Effect.die(new Error("a read was stale, or too few left the primary"))
      }
    }).pipe(Effect.provide(live(own, { maxWait: "5 seconds" })))
  }).pipe(Effect.scoped)

/**
 * Faults of each server in turn under load: killed, frozen, cut off, promoted, and the old primary back as a second one.
 *
 * Writers count up rows of their own, and note what was confirmed; readers read them in sessions of their own, each at a
 * place that only rises.
 */
import { Consistency } from "@effect-pools/postgres"
import type { EmbeddedPostgres } from "@effect-pools/testing"
import * as TcpProxy from "@effect-pools/testing/TcpProxy"
import { Console, Effect, Exit, Fiber, Redacted, Stream } from "effect"
import { Db, servers } from "./world.ts"

const writers = 8
const readers = 16

interface Tally {
  written: number
  failedWrites: number
  read: number
  failedReads: number
  stale: number
  steppedBack: number
  /** Writes that a standby was asked for and refused. */
  toStandby: number
  readonly causes: Map<string, number>
}

/** The words of an error without what differs each time. */
const note = ({ causes }: Tally, error: unknown): void => {
  const words = String(error).replaceAll(/\d+/g, "n").slice(0, 120)
  causes.set(words, (causes.get(words) ?? 0) + 1)
}

/** Writes its row and reads it again, in one session: what was confirmed must be seen. */
const writer = (id: number, tally: Tally, work: { readonly isOpen: boolean; generation: number }) =>
  Effect.gen(function*() {
    let confirmed = 0
    let generation = work.generation
    for (let n = 1; work.isOpen; n++) {
      const write = yield* Effect.exit(Db.query`UPDATE faulty SET n = ${n} WHERE id = ${id}`)
      // Changes that no replica had when the primary went are lost with it: each takeover begins anew.
      if (generation !== work.generation) {
        generation = work.generation
        confirmed = 0
      }
      if (Exit.isSuccess(write)) {
        tally.written++
        confirmed = n
        const began = work.generation
        const seen = yield* Effect.exit(Db.read<{ readonly n: number }>`SELECT n FROM faulty WHERE id = ${id}`)
        if (Exit.isSuccess(seen)) {
          tally.read++
          if ((seen.value[0]?.n ?? 0) < confirmed && began === work.generation) tally.stale++
        } else {
          tally.failedReads++
          note(tally, seen.cause)
        }
      } else {
        tally.failedWrites++
        if (String(write.cause).includes("read-only")) tally.toStandby++
        note(tally, write.cause)
      }
      yield* Effect.sleep(2)
    }
  }).pipe(Consistency.session)

/** Reads all rows in one session: none may fall. */
const reader = (tally: Tally, work: { readonly isOpen: boolean; generation: number }) =>
  Effect.gen(function*() {
    let highest: ReadonlyArray<number> = []
    let generation = work.generation
    while (work.isOpen) {
      const began = work.generation
      const rows = yield* Effect.exit(Db.read<{ readonly n: number }>`SELECT n FROM faulty ORDER BY id`)
      if (generation !== began || began !== work.generation) {
        generation = work.generation
        highest = []
      } else if (Exit.isSuccess(rows)) {
        tally.read++
        const now = rows.value.map(({ n }) => n)
        if (now.some((n, index) => n < (highest[index] ?? 0))) tally.steppedBack++
        highest = now
      } else {
        tally.failedReads++
        note(tally, rows.cause)
      }
      yield* Effect.sleep(3)
    }
  }).pipe(Consistency.session)

interface Way {
  readonly name: string
  readonly server: EmbeddedPostgres.Instance
  readonly proxy: TcpProxy.TcpProxy
}

type Fault = readonly [name: string, begin: Effect.Effect<unknown, unknown>, end: Effect.Effect<unknown, unknown>]

const faultsOf = ({ proxy, server }: Way): ReadonlyArray<Fault> => [
  ["killed", server.kill9, server.start],
  ["frozen", server.stop, server.cont],
  ["cut", proxy.cut, Effect.void],
  ["cut off", proxy.blackhole(true), proxy.blackhole(false)],
  ["down for the network", proxy.down, proxy.up]
]

/** Through the proxy that is in front of it. */
const through = (url: Redacted.Redacted, from: number, to: number) =>
  Redacted.make(Redacted.value(url).replace(`:${from}/`, `:${to}/`))

/** Fails when a read was stale or stepped back, or a write went to a standby. */
export const faults = (seconds: number): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { primary, replicas } = yield* servers(3)
    const ways = yield* Effect.forEach([primary, ...replicas], (server, index) =>
      Effect.map(
        TcpProxy.make({ host: server.host, port: server.port }),
        (proxy): Way => ({ name: index === 0 ? "the primary" : `replica ${index}`, server, proxy })
      ))
    const [first, ...others] = ways.map(({ proxy, server }) => through(server.url, server.port, proxy.port))
    const tally: Tally = {
      written: 0,
      failedWrites: 0,
      read: 0,
      failedReads: 0,
      stale: 0,
      steppedBack: 0,
      toStandby: 0,
      causes: new Map()
    }
    const work = { isOpen: true, generation: 0 }
    const report = (name: string) =>
      Console.log(
        `${name}: ${tally.written} writes, ${tally.failedWrites} failed; ${tally.read} reads, ${tally.failedReads} failed; ` +
          `${tally.stale} stale, ${tally.steppedBack} stepped back, ${tally.toStandby} writes met a standby`
      )
    yield* Effect.gen(function*() {
      yield* Db.query`CREATE TABLE faulty (id int PRIMARY KEY, n int) WITH (fillfactor = 20)`
      yield* Db.query`INSERT INTO faulty SELECT id, 0 FROM generate_series(0, ${writers - 1}) AS id`
      yield* Effect.forkScoped(Stream.runForEach(Db.events, (event) =>
        event._tag === "PrimaryChanged"
          ? Console.log(`  ${event.from ?? "nobody"} -> ${event.to ?? "nobody"}, timeline ${event.timeline}`)
          : Effect.void))
      const busy = yield* Effect.forkScoped(
        Effect.all([
          ...Array.from({ length: writers }, (_, id) => writer(id, tally, work)),
          ...Array.from({ length: readers }, () => reader(tally, work))
        ], { concurrency: "unbounded", discard: true })
      )
      const until = performance.now() + seconds * 1_000
      while (performance.now() < until) {
        for (const way of ways) {
          for (const [fault, begin, end] of faultsOf(way)) {
            if (performance.now() > until) break
            yield* begin
            yield* Effect.sleep("1500 millis")
            yield* end
            yield* Effect.sleep("1 second")
            yield* report(`${way.name} ${fault}`)
          }
        }
      }
      yield* takeover(ways, work, report)
      work.isOpen = false
      yield* Effect.timeoutOption(Fiber.await(busy), "15 seconds")
      for (const [words, count] of tally.causes) yield* Console.log(`  ${count} x ${words}`)
      if (tally.stale + tally.steppedBack + tally.toStandby > 0) {
        return yield* Effect.die(new Error("a read was stale or stepped back, or a standby was asked to write"))
      }
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Db.layerPoolOnly({
          primary: first!,
          replicas: others,
          maxConnections: 8,
          acquireTimeout: "5 seconds",
          breaker: { openDuration: "1 second" },
          drainTimeout: "2 seconds"
        })
      )
    )
  }).pipe(Effect.scoped)

/** The primary is cut off and a replica promoted; then the old primary is back and believes that it still is one. */
const takeover = (
  [old, ...rest]: ReadonlyArray<Way>,
  work: { generation: number },
  report: (name: string) => Effect.Effect<void>
) =>
  Effect.gen(function*() {
    const next = rest[0]!
    yield* old!.server.kill9
    work.generation++
    yield* (next.server as EmbeddedPostgres.Replica).promote
    for (const { server } of rest.slice(1)) yield* (server as EmbeddedPostgres.Replica).follow(next.server)
    yield* Effect.sleep("4 seconds")
    yield* report("the primary killed and replica 1 promoted")
    yield* old!.server.start
    yield* Effect.sleep("4 seconds")
    yield* report("the old primary back as a second one")
    const nodes = yield* Db.nodes
    yield* Console.log(`  ${nodes.map(({ isIn, name, role }) => `${name} ${role}${isIn ? " in" : ""}`).join(", ")}`)
    yield* next.proxy.down
    yield* Effect.sleep("3 seconds")
    yield* report("the new primary gone, the old one still there: nobody takes writes")
    yield* next.proxy.up
    yield* Effect.sleep("3 seconds")
    yield* report("the new primary back")
  })

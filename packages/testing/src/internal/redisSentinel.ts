/**
 * The sentinels of a master.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EmbeddedRedisError } from "./redisError.ts"
import type { Instance } from "./redisInstance.ts"

/**
 * A master with its replicas, and the sentinels that watch over them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sentinel {
  /** The name that the sentinels know the master by. */
  readonly masterName: string
  /** The first master, then its replicas. As they were at the start. */
  readonly servers: ReadonlyArray<Instance>
  readonly sentinels: ReadonlyArray<Instance>
  /** The master just now, as a sentinel sees it. */
  readonly master: Effect.Effect<Instance, EmbeddedRedisError>
  /** Has the sentinels promote a replica while the master is well, waits until they have, and gives the new master. */
  readonly failover: Effect.Effect<Instance, EmbeddedRedisError>
  /** Waits until another than `former` is master, and all sentinels that are up know it. */
  readonly masterAfter: (former: Instance) => Effect.Effect<Instance, EmbeddedRedisError>
}

export const masterName = "main"

/** Waits until the replica gets what its master writes, and the master knows of it. */
export const attached = (replica: Instance, master: Instance): Effect.Effect<void, EmbeddedRedisError> =>
  until(
    Effect.zipWith(
      replica.command("INFO", "replication"),
      master.command("INFO", "replication"),
      (own, other) =>
        String(own).includes("master_link_status:up") && String(other).includes(`port=${replica.port},state=online`)
    )
  )

/** Waits until the sentinels know each other and the replicas. */
export const watch = Effect.fnUntraced(function*(
  servers: ReadonlyArray<Instance>,
  sentinels: ReadonlyArray<Instance>
): Effect.fn.Return<Sentinel, EmbeddedRedisError> {
  // They look around each few seconds otherwise. Older ones can't be told.
  yield* Effect.forEach(sentinels, (sentinel) => Effect.ignore(sentinel.command(...lookAroundOften)))
  yield* until(
    Effect.map(
      Effect.forEach(sentinels, knownTo),
      (all) => all.every((known) => known.sentinels === sentinels.length - 1 && known.replicas === servers.length - 1)
    )
  )
  const master = Effect.flatMap(
    running(sentinels),
    ([sentinel]) => sentinel === undefined ? fail("no sentinel is up") : masterSeenBy(sentinel, servers)
  )
  const masterAfter = (former: Instance): Effect.Effect<Instance, EmbeddedRedisError> =>
    Effect.andThen(until(isReplaced(former, servers, sentinels)), master)
  return {
    masterName,
    servers,
    sentinels,
    master,
    masterAfter,
    failover: Effect.gen(function*() {
      const former = yield* master
      // For a moment after it has come up a sentinel does not know yet how its replicas are.
      yield* Effect.retry(sentinels[0]!.command("SENTINEL", "FAILOVER", masterName), {
        while: (error) => error.message.includes("NOGOODSLAVE"),
        schedule: Schedule.spaced("100 millis"),
        times: 100
      })
      return yield* masterAfter(former)
    })
  }
})

const lookAroundOften = ["SENTINEL", "DEBUG", "INFO-PERIOD", 500, "PUBLISH-PERIOD", 300, "PING-PERIOD", 200] as const

const knownTo = (
  sentinel: Instance
): Effect.Effect<{ readonly sentinels: number; readonly replicas: number }, EmbeddedRedisError> =>
  Effect.map(sentinel.command("SENTINEL", "MASTER", masterName), (reply) => {
    const fields = Array.isArray(reply) ? reply : []
    const field = (name: string): number => Number(fields[fields.indexOf(name) + 1])
    return { sentinels: field("num-other-sentinels"), replicas: field("num-slaves") }
  })

const masterSeenBy = (
  sentinel: Instance,
  servers: ReadonlyArray<Instance>
): Effect.Effect<Instance, EmbeddedRedisError> =>
  Effect.flatMap(sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName), (reply) => {
    const port = Array.isArray(reply) ? Number(reply[1]) : 0
    const master = servers.find((server) => server.port === port)
    return master === undefined ? fail("a sentinel knows no master") : Effect.succeed(master)
  })

const isReplaced = (
  former: Instance,
  servers: ReadonlyArray<Instance>,
  sentinels: ReadonlyArray<Instance>
): Effect.Effect<boolean, EmbeddedRedisError> =>
  Effect.gen(function*() {
    const masters = new Set<Instance>()
    for (const sentinel of yield* running(sentinels)) masters.add(yield* masterSeenBy(sentinel, servers))
    const [master] = masters
    if (master === undefined || masters.size > 1 || master === former) return false
    const role = yield* master.command("ROLE")
    return Array.isArray(role) && role[0] === "master"
  })

const running = (instances: ReadonlyArray<Instance>): Effect.Effect<ReadonlyArray<Instance>> =>
  Effect.filter(instances, (instance) => Effect.map(instance.pid, (pid) => pid !== undefined))

const fail = (detail: string): Effect.Effect<never, EmbeddedRedisError> =>
  Effect.fail(new EmbeddedRedisError({ step: "sentinel", detail }))

/** Asks again and again. A server may be about to die while it is asked. */
const until = (condition: Effect.Effect<boolean, EmbeddedRedisError>): Effect.Effect<void, EmbeddedRedisError> =>
  Effect.orElseSucceed(condition, () => false).pipe(
    Effect.repeat({ schedule: Schedule.spaced("30 millis"), until: (isTrue: boolean) => isTrue }),
    Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => fail("not in order after 30 seconds") }),
    Effect.asVoid
  )

import type { RedisConfig, RedisConnector } from "@effect-pools/redis"
import { EmbeddedRedis, TcpProxy } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Queue, Result, Schedule, Stream } from "effect"
import { Cache, eventually } from "./support.ts"

type Node = EmbeddedRedis.ClusterNode
type Options = RedisConfig.RedisOptions

const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({ host, port })

const cacheOf = (
  nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>,
  options: Options = {},
  cluster: Partial<NonNullable<Options["cluster"]>> = {}
) => Cache.layer({ cluster: { nodes: nodes.map(addressOf), ...cluster }, minConnections: 0, ...options })

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** A key of each node's own. */
const keysOf = (cluster: EmbeddedRedis.Cluster) =>
  Effect.gen(function*() {
    const found = new Map<string, string>()
    for (let i = 0; found.size < cluster.nodes.filter((_, i) => i < 3).length; i++) {
      const owner = yield* Effect.flatMap(cluster.slotOf(`k${i}`), cluster.masterOf)
      if (!found.has(owner.id)) found.set(owner.id, `k${i}`)
    }
    return (node: Node) => found.get(node.id)!
  })

/** As `redis-cli --cluster del-node` does, after its slots were moved. */
const takeOut = Effect.fnUntraced(function*(cluster: EmbeddedRedis.Cluster, node: Node, heir: Node) {
  yield* node.command("FLUSHALL")
  for (const other of cluster.nodes) if (other !== node) yield* other.command("CLUSTER", "FORGET", node.id)
  const share = (index: number) => Math.floor(index * 16_384 / 3)
  const index = cluster.nodes.indexOf(node)
  yield* heir.command("CLUSTER", "ADDSLOTSRANGE", share(index), share(index + 1) - 1)
  yield* heir.command("CLUSTER", "BUMPEPOCH")
  yield* node.command("CLUSTER", "RESET")
  for (const other of cluster.nodes) {
    if (other === node) continue
    yield* eventually(
      "all know of the heir",
      Effect.map(other.command("CLUSTER", "INFO"), (info) => String(info).includes("cluster_slots_ok:16384"))
    )
  }
})

const connectionsOf = (node: Node) =>
  Effect.map(node.clients, (all) => all.filter(({ name }) => name === "app/Cache").length)

describe("a node that belongs to no cluster", () => {
  it.live("is not taken for one, whatever the order of the nodes", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      const empty = yield* EmbeddedRedis.make({ settings: { "cluster-enabled": true } })
      // The order is left to chance, so that one pool in two would have begun with it.
      for (const _ of range(8)) {
        yield* Effect.forEach(range(20), (i) => Cache.set(`k${i}`, "1"), { concurrency: "unbounded" }).pipe(
          Effect.provide(cacheOf([empty, cluster.nodes[0]!]), { local: true })
        )
      }
      const error = yield* Effect.flip(Effect.provide(Cache.ping(), cacheOf([empty], { acquireTimeout: "1 second" })))
      assert(error._tag === "PoolError")
      assert.match(`${error.message} ${String(error.reason.cause)}`, /not in order|belongs to no cluster/)
    }).pipe(Effect.scoped), 60_000)

  it.live("sends nobody away for good: others are asked who serves the slot by now", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      const keyOf = yield* keysOf(cluster)
      const [node, heir] = cluster.nodes
      yield* Effect.gen(function*() {
        for (const each of cluster.nodes) yield* Cache.set(keyOf(each), "1")
        yield* takeOut(cluster, node!, heir!)
        yield* Cache.set(keyOf(node!), "2")
        assert.strictEqual(yield* heir!.command("GET", keyOf(node!)), "2")
        assert.strictEqual((yield* Cache.stats).counts.opened, 1)
        // What has no key goes on as well.
        assert.strictEqual(yield* Cache.ping(), "PONG")
        yield* Cache.publish("a", "b")
        assert.strictEqual(yield* Cache.dbSize().pipe(Effect.map((size) => size > 0)), true)
      }).pipe(Effect.provide(cacheOf([node!], { maxConnections: 1 })))
    }).pipe(Effect.scoped), 60_000)

  it.live("is not listened to any longer: the subscription moves, with a gap", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      yield* Effect.gen(function*() {
        const queue = yield* Queue.unbounded<string>()
        yield* Effect.forkScoped(
          Stream.runForEach(
            Cache.subscribe("news"),
            (element) => Queue.offer(queue, element._tag === "Message" ? element.message : element._tag)
          )
        )
        assert.strictEqual(yield* Queue.take(queue), "Subscribed")
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* Queue.size(queue), 0)
        const ears = yield* Effect.filter(
          cluster.nodes,
          (node) => Effect.map(node.clients, (all) => all.some(({ flags }) => flags.includes("P")))
        )
        assert.strictEqual(ears.length, 1)
        const heir = cluster.nodes.find((node) => node !== ears[0])
        yield* takeOut(cluster, ears[0]!, heir!)
        assert.strictEqual(yield* Effect.timeout(Queue.take(queue), "10 seconds"), "Gap")
        // Until all have heard of it, it may begin anew at the same node.
        yield* Effect.repeat(
          Effect.andThen(heir!.command("PUBLISH", "news", "heard"), Effect.timeout(Queue.take(queue), "10 seconds")),
          { until: (element) => element === "heard" }
        )
      }).pipe(
        Effect.scoped,
        Effect.provide(cacheOf(cluster.nodes, {
          healthCheck: Duration.millis(200),
          retry: Schedule.spaced("100 millis")
        }))
      )
    }).pipe(Effect.scoped), 60_000)
})

describe("a connection at rest", () => {
  it.live("whose node has left the cluster fails its validation", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      const [node, heir] = cluster.nodes
      yield* Effect.gen(function*() {
        yield* Cache.ping()
        yield* Cache.ping()
        assert.strictEqual((yield* Cache.stats).counts.failedToValidate, 0)
        yield* takeOut(cluster, node!, heir!)
        yield* Effect.exit(Cache.ping())
        assert.strictEqual((yield* Cache.stats).counts.failedToValidate, 1)
      }).pipe(
        Effect.provide(cacheOf([node!], { maxConnections: 1, freshnessWindow: 0, acquireTimeout: "1 second" }))
      )
    }).pipe(Effect.scoped), 60_000)

  it.live("passes its validation though another node hangs", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, settings: { "cluster-node-timeout": 30_000 } })
      const [node, ...others] = cluster.nodes
      yield* Effect.gen(function*() {
        yield* Cache.ping()
        for (const other of others) yield* other.stop
        yield* Cache.ping()
        assert.strictEqual((yield* Cache.stats).counts.failedToValidate, 0)
        assert.strictEqual((yield* Cache.stats).counts.opened, 1)
      }).pipe(
        Effect.ensuring(Effect.forEach(others, (other) => other.cont)),
        Effect.provide(cacheOf([node!], { maxConnections: 1, freshnessWindow: 0 }))
      )
    }).pipe(Effect.scoped), 60_000)
})

describe("the trouble of a node is its own", () => {
  /** What one node is given to do while another gets into trouble, on the same connection. */
  const beside = <A, E>(
    options: Options,
    trouble: (redis: RedisConnector.RedisConnection, node: Node, key: string) => Effect.Effect<A, E>
  ) =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, settings: { "cluster-node-timeout": 30_000 } })
      const keyOf = yield* keysOf(cluster)
      const [home, busy, troubled] = cluster.nodes
      yield* Effect.gen(function*() {
        const [popped] = yield* Cache.withConnection((redis) =>
          Effect.gen(function*() {
            yield* redis.set(keyOf(troubled!), "1")
            const blocked = yield* Effect.forkChild(redis.blpop([`{${keyOf(busy!)}}list`], "20 seconds"))
            yield* eventually(
              "it blocks",
              Effect.map(busy!.clients, (all) => all.some(({ command }) => command === "blpop"))
            )
            yield* trouble(redis, troubled!, keyOf(troubled!))
            yield* Effect.sleep("500 millis")
            yield* busy!.command("RPUSH", `{${keyOf(busy!)}}list`, "kept")
            const popped = yield* Fiber.join(blocked)
            return [popped?.[1]]
          })
        )
        assert.strictEqual(popped, "kept")
        yield* Effect.retry(Cache.set(keyOf(troubled!), "2"), { times: 3 })
        assert.strictEqual((yield* Cache.stats).counts.opened, 1)
      }).pipe(Effect.provide(cacheOf([home!], { maxConnections: 1, ...options })))
    }).pipe(Effect.scoped)

  it.live(
    "when a server ends an idle socket, commands at others go on",
    () => beside({}, (_, node) => Effect.asVoid(node.command("CLIENT", "KILL", "TYPE", "normal"))),
    60_000
  )

  it.live(
    "when a node answers nothing, commands at others go on",
    () =>
      beside({ commandTimeout: "300 millis" }, (redis, node, key) =>
        Effect.gen(function*() {
          yield* node.stop
          const error = yield* Effect.flip(redis.get(key))
          assert.strictEqual(error.reason._tag, "CommandTimeout")
          yield* node.cont
        })),
    60_000
  )

  it.live("a frozen node costs those alone who wait for it", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, settings: { "cluster-node-timeout": 30_000 } })
      const keyOf = yield* keysOf(cluster)
      const [home, sound, frozen] = cluster.nodes
      yield* Effect.gen(function*() {
        for (const each of cluster.nodes) yield* Cache.set(keyOf(each), "0")
        yield* frozen!.stop
        const stuck = yield* Effect.forkChild(Effect.exit(Cache.get(keyOf(frozen!))))
        // It loses its answer with the socket that is given up for the first.
        yield* Effect.forkChild(Effect.andThen(Effect.sleep("200 millis"), Effect.exit(Cache.get(keyOf(frozen!)))))
        const failures: Array<unknown> = []
        let served = 0
        yield* Effect.repeat(
          Effect.matchEffect(Cache.incr(keyOf(sound!)), {
            onFailure: (error) => Effect.sync(() => failures.push(error)),
            onSuccess: () => Effect.sync(() => served++)
          }),
          { until: () => stuck.pollUnsafe() !== undefined, schedule: Schedule.spaced("2 millis") }
        )
        const exit = yield* Fiber.join(stuck)
        const error = Exit.findErrorOption(exit)
        assert(error._tag === "Some" && error.value._tag === "RedisError")
        assert.strictEqual(error.value.reason._tag, "CommandTimeout")
        assert.deepStrictEqual(failures, [])
        assert.isAbove(served, 20)
        yield* frozen!.cont
        yield* eventually("it is served again", Effect.map(Effect.exit(Cache.get(keyOf(frozen!))), Exit.isSuccess))
        yield* Cache.incr(keyOf(sound!))
        assert.strictEqual((yield* Cache.stats).counts.opened, 1)
      }).pipe(
        Effect.ensuring(frozen!.cont),
        Effect.provide(cacheOf([home!], { maxConnections: 1, commandTimeout: "400 millis" }))
      )
    }).pipe(Effect.scoped), 60_000)

  it.live("a connection whose last socket has ended is replaced", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      yield* Effect.gen(function*() {
        yield* Effect.forEach(range(20), (i) => Cache.set(`k${i}`, "1"), { concurrency: "unbounded" })
        for (const node of cluster.nodes) yield* node.command("CLIENT", "KILL", "TYPE", "normal")
        yield* eventually("it is closed", Effect.map(Cache.stats, ({ counts }) => counts.closed === 1))
        yield* Effect.forEach(range(20), (i) => Cache.set(`k${i}`, "2"), { concurrency: "unbounded" })
      }).pipe(Effect.provide(cacheOf(cluster.nodes, { maxConnections: 1 })))
      for (const node of cluster.nodes) assert.strictEqual(yield* connectionsOf(node), 0)
    }).pipe(Effect.scoped), 60_000)
})

describe("a command without a key", () => {
  it.live("reaches a primary, whichever nodes are named and whoever is primary by now", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, replicas: 1 })
      const replicas = cluster.nodes.slice(3)
      const load = "#!lua name=mylib\nredis.register_function('f', function(keys) return 1 end)"
      for (const replica of replicas) {
        yield* Effect.andThen(Cache.flushDb(), Cache.command("FUNCTION", "LOAD", "REPLACE", load)).pipe(
          Effect.provide(cacheOf([replica]), { local: true })
        )
      }
      const [master] = cluster.nodes
      yield* Effect.gen(function*() {
        yield* Cache.flushDb()
        const [heir] = yield* cluster.replicasOf(master!)
        yield* heir!.command("CLUSTER", "FAILOVER")
        yield* eventually(
          "it has taken over",
          Effect.map(master!.command("ROLE"), (role) => Array.isArray(role) && role[0] === "slave")
        )
        yield* cluster.settled
        yield* Effect.retry(Cache.flushDb(), { times: 1 })
        yield* Cache.flushDb()
      }).pipe(Effect.provide(cacheOf([master!])))
    }).pipe(Effect.scoped), 60_000)
})

describe("a cluster behind NAT", () => {
  it.live("is reached where the address map says", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      const proxies = yield* Effect.forEach(cluster.nodes, (node) => TcpProxy.make(node))
      const addressMap = Object.fromEntries(
        cluster.nodes.map(({ host, port }, i) => [`${host}:${port}`, addressOf(proxies[i]!)])
      )
      yield* Effect.gen(function*() {
        const exits = yield* Cache.pipeline((redis) => range(50).map((i) => redis.set(`k${i}`, "1")))
        assert.isTrue(exits.every(Result.isSuccess))
        for (const proxy of proxies) assert.isAbove(yield* proxy.accepted, 0)
        const slot = yield* cluster.slotOf("k1")
        const from = yield* cluster.masterOf(slot)
        const to = cluster.nodes.find((node) => node !== from)!
        yield* cluster.beginMove(slot, to)
        yield* cluster.finishMove(slot, to)
        const before = yield* Effect.forEach(cluster.nodes, connectionsOf)
        assert.strictEqual(yield* Cache.get("k1"), "1")
        assert.deepStrictEqual(yield* Effect.forEach(cluster.nodes, connectionsOf), before)
      }).pipe(Effect.provide(cacheOf([proxies[0]!], { maxConnections: 1 }, { addressMap })))
    }).pipe(Effect.scoped), 60_000)
})

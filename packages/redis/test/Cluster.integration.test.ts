import { RedisError, type RedisSubscription } from "@effect-pools/redis"
import { EmbeddedRedis } from "@effect-pools/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, Ref, Result, Schedule, Stream } from "effect"
import { Cache, eventually } from "./support.ts"

class Nodes extends Context.Service<Nodes, EmbeddedRedis.Cluster>()("test/Nodes") {}

const password = "cluster-secret"

type Options = Parameters<typeof Cache.layer>[0]

const cacheOf = ({ nodes }: EmbeddedRedis.Cluster, options: Options = {}, cluster = {}) =>
  Cache.layer({
    cluster: { nodes: nodes.map(({ host, port }) => ({ host, port })), ...cluster },
    password: nodes[0]?.password,
    minConnections: 0,
    ...options
  })

const cache = (options?: Options, cluster?: object) =>
  Layer.unwrap(Effect.map(Nodes, (nodes) => cacheOf(nodes, options, cluster)))

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const reasonOf = (error: unknown) => error instanceof RedisError.RedisError ? error.reason._tag : String(error)

/** How often a node answered with an error of that name. */
const errorsOf = (node: EmbeddedRedis.Instance, name: string) =>
  Effect.map(node.command("INFO", "errorstats"), (info) => {
    const found = new RegExp(`errorstat_${name}:count=(\\d+)`).exec(String(info))
    return found === null ? 0 : Number(found[1])
  })

const follow = <E, R>(stream: Stream.Stream<RedisSubscription.Element, E, R>) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<RedisSubscription.Element>()
    yield* Effect.forkScoped(Stream.runForEach(stream, (element) => Queue.offer(queue, element)))
    return Effect.timeout(Queue.take(queue), "30 seconds")
  })

/** The pair of nodes between which a test moves the slot of a key. */
const ends = Effect.fnUntraced(function*(key: string) {
  const cluster = yield* Nodes
  const slot = yield* cluster.slotOf(key)
  const from = yield* cluster.masterOf(slot)
  const to = cluster.nodes.find((node) => node !== from)!
  return { cluster, slot, from, to }
})

describe("cluster", () => {
  layer(Layer.effect(Nodes, EmbeddedRedis.cluster({ masters: 3, password })), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect("every key is where it belongs, and a scan finds all of them", () =>
      Effect.gen(function*() {
        const { nodes } = yield* Nodes
        const keys = range(2000).map((i) => `spread:${i}`)
        yield* Effect.forEach(keys, (key) => Cache.set(key, `value of ${key}`), { concurrency: 64 })
        const values = yield* Effect.forEach(keys, (key) => Cache.get(key), { concurrency: 64 })
        assert.deepStrictEqual(values, keys.map((key) => `value of ${key}`))
        for (const node of nodes) assert.isAbove(Number(yield* node.command("DBSIZE")), 400)
        const scanned = yield* Stream.runCollect(Cache.scan({ match: "spread:*" }))
        assert.deepStrictEqual(Array.from(new Set(scanned)).toSorted(), keys.toSorted())
        // The client knows the slots, so that nobody had to send it on.
        for (const node of nodes) assert.strictEqual(yield* errorsOf(node, "MOVED"), 0)
      }).pipe(Effect.provide(cache())))

    it.effect("a pipeline goes to all nodes, and its answers come in order", () =>
      Effect.gen(function*() {
        const results = yield* Cache.pipeline((redis) => range(300).map((i) => redis.setGet(`pipe:${i}`, String(i))))
        assert.isTrue(results.every(Result.isSuccess))
        const again = yield* Cache.pipeline((redis) => range(300).map((i) => redis.get(`pipe:${i}`)))
        assert.deepStrictEqual(again.map((result) => Result.getOrThrow(result)), range(300).map(String))
      }).pipe(Effect.provide(cache())))

    it.effect("a transaction stays within one slot", () =>
      Effect.gen(function*() {
        const [set, incremented] = yield* Cache.multi((redis) => [redis.set("{u}a", "1"), redis.incr("{u}a")])
        assert.deepStrictEqual([Result.getOrThrow(set), Result.getOrThrow(incremented)], [true, 2])
        const error = yield* Effect.flip(Cache.multi((redis) => [redis.set("{x}a", "1"), redis.set("{y}a", "1")]))
        assert(error instanceof RedisError.RedisError)
        assert.isUndefined(yield* Cache.get("{x}a"))
      }).pipe(Effect.provide(cache())))

    it.effect("keys of several slots in one command are refused with the server's answer", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Cache.mget(["{x}1", "{y}1"]))
        assert(error._tag === "RedisError" && error.reason._tag === "CommandFailed")
        assert.strictEqual(error.reason.code, "CROSSSLOT")
      }).pipe(Effect.provide(cache())))

    it.effect("a script is known to each node that it runs on", () =>
      Effect.gen(function*() {
        const lua = `return redis.call("INCR", KEYS[1])`
        for (const _ of range(2)) {
          yield* Effect.forEach(range(20), (i) => Cache.script(lua, { keys: [`script:${i}`] }), { concurrency: 4 })
        }
        assert.strictEqual(yield* Cache.get("script:7"), "2")
      }).pipe(Effect.provide(cache())))

    it.effect("while a slot moves its keys are served from both ends (ASK)", () =>
      Effect.gen(function*() {
        const { cluster, from, slot, to } = yield* ends("{move}")
        yield* Cache.set("{move}old", "1")
        yield* cluster.beginMove(slot, to)
        assert.strictEqual(yield* Cache.get("{move}old"), "1")
        assert.isUndefined(yield* Cache.get("{move}none"))
        yield* Cache.set("{move}new", "2")
        assert.strictEqual(yield* Cache.get("{move}new"), "2")
        assert.isAbove(yield* errorsOf(from, "ASK"), 0)
        assert.strictEqual(yield* errorsOf(from, "MOVED"), 0)
        yield* cluster.finishMove(slot, to)
        assert.deepStrictEqual([yield* Cache.get("{move}old"), yield* Cache.get("{move}new")], ["1", "2"])
      }).pipe(Effect.provide(cache())))

    it.effect("a slot that moves under load costs no error, and few redirections", () =>
      Effect.gen(function*() {
        const { cluster, from, slot, to } = yield* ends("{load}")
        const before = yield* errorsOf(from, "MOVED")
        const count = yield* Ref.make(0)
        const worker = Effect.gen(function*() {
          const i = yield* Ref.getAndUpdate(count, (n) => n + 1)
          yield* Cache.set(`{load}${i % 50}`, String(i))
          assert.isDefined(yield* Cache.get(`{load}${i % 50}`))
        })
        const load = yield* Effect.forkScoped(
          Effect.all(range(32).map(() => Effect.forever(worker)), { concurrency: "unbounded" })
        )
        const reach = (target: number) => eventually("commands go on", Effect.map(Ref.get(count), (n) => n > target))
        yield* reach(200)
        yield* cluster.beginMove(slot, to)
        yield* reach((yield* Ref.get(count)) + 200)
        yield* cluster.finishMove(slot, to)
        yield* reach((yield* Ref.get(count)) + 2000)
        assert.isUndefined(load.pollUnsafe())
        yield* Fiber.interrupt(load)
        // One a connection would do, but what is on its way when the slot moves is sent on one by one.
        assert.isBelow((yield* errorsOf(from, "MOVED")) - before, 500)
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("a scan finds every key though the order of the nodes changes meanwhile", () =>
      Effect.gen(function*() {
        const first = "first:3303" // in slot 0
        const { cluster, slot, to } = yield* ends(first)
        const keys = range(1000).map((i) => `steady:${i}`)
        yield* Effect.forEach(keys, (key) => Cache.set(key, "value"), { concurrency: 64 })
        const found = new Set<string>()
        let hasMoved = false
        const move = Effect.gen(function*() {
          hasMoved = true
          yield* cluster.beginMove(slot, to)
          yield* cluster.finishMove(slot, to)
          // The first hears of it, and when the second is answered all is known.
          yield* Effect.andThen(Cache.get(first), Cache.get(first))
        })
        yield* Stream.runForEachArray(Cache.scan({ match: "steady:*" }), (page) => {
          for (const key of page) found.add(key)
          return hasMoved ? Effect.void : move
        })
        assert.deepStrictEqual(Array.from(found).toSorted(), keys.toSorted())
      }).pipe(Effect.provide(cache({ maxConnections: 1 }))))

    it.effect("nodes that send a command in circles are told from maxRedirections on", () =>
      Effect.gen(function*() {
        const { cluster, from, slot, to } = yield* ends("{circle}")
        const ids = { from: yield* from.command("CLUSTER", "MYID"), to: yield* to.command("CLUSTER", "MYID") }
        yield* from.command("CLUSTER", "SETSLOT", slot, "NODE", String(ids.to))
        const error = yield* Effect.flip(Cache.get("{circle}"))
        assert(error._tag === "RedisError" && error.reason._tag === "TooManyRedirections")
        assert.strictEqual(error.reason.redirections, 3)
        yield* from.command("CLUSTER", "SETSLOT", slot, "NODE", String(ids.from))
        yield* cluster.settled
        assert.isUndefined(yield* Cache.get("{circle}"))
      }).pipe(Effect.provide(cache({}, { maxRedirections: 3 }))))

    it.effect("a message reaches who listens, whichever node it is published at", () =>
      Effect.gen(function*() {
        const { nodes } = yield* Nodes
        const next = yield* follow(Cache.subscribe("everywhere"))
        assert.strictEqual((yield* next)._tag, "Subscribed")
        for (const [i, node] of nodes.entries()) yield* node.command("PUBLISH", "everywhere", i)
        const messages = yield* Effect.replicateEffect(next, 3)
        assert.deepStrictEqual(
          messages.map((element) => element._tag === "Message" ? element.message : element._tag).toSorted(),
          ["0", "1", "2"]
        )
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("sharded channels are listened to where they belong, and follow their slot", () =>
      Effect.gen(function*() {
        const { cluster, slot, to } = yield* ends("{moving}channel")
        const names = ["{moving}channel", "b", "c", "d", "e"]
        const all = yield* Effect.forEach(names, (name) => follow(Cache.ssubscribe(name)))
        const plain = yield* follow(Cache.subscribe("beside"))
        for (const next of [...all, plain]) assert.strictEqual((yield* next)._tag, "Subscribed")
        const publish = (name: string, text: string) => Cache.spublish(name, text)
        for (const name of names) yield* publish(name, "1")
        for (const next of all) assert.strictEqual(yield* textOf(next), "1")
        yield* cluster.beginMove(slot, to)
        yield* cluster.finishMove(slot, to)
        assert.strictEqual((yield* all[0]!)._tag, "Gap")
        yield* publish("{moving}channel", "2")
        assert.strictEqual(yield* textOf(all[0]!), "2")
        yield* publish("b", "3")
        assert.strictEqual(yield* textAfterGaps(all[1]!), "3")
        yield* Cache.publish("beside", "4")
        assert.strictEqual(yield* textAfterGaps(plain), "4")
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("a sharded channel follows its slot on the same connection", () =>
      Effect.gen(function*() {
        const { cluster, slot, to } = yield* ends("{alone}")
        const next = yield* follow(Cache.ssubscribe("{alone}"))
        assert.strictEqual((yield* next)._tag, "Subscribed")
        const { counts: { opened } } = yield* Cache.stats
        yield* cluster.beginMove(slot, to)
        yield* cluster.finishMove(slot, to)
        assert.strictEqual((yield* next)._tag, "Gap")
        yield* to.command("SPUBLISH", "{alone}", "1")
        assert.strictEqual(yield* textOf(next), "1")
        assert.strictEqual((yield* Cache.stats).counts.opened, opened)
      }).pipe(Effect.scoped, Effect.provide(cache())))

    it.effect("when the last sharded channel leaves a node, what is listened to there besides has no gap", () =>
      Effect.gen(function*() {
        const { cluster, from, slot, to } = yield* ends("{last}")
        yield* Effect.gen(function*() {
          const plain = yield* follow(Cache.subscribe("beside"))
          const last = yield* follow(Cache.ssubscribe("{last}"))
          for (const next of [plain, last]) assert.strictEqual((yield* next)._tag, "Subscribed")
          yield* cluster.beginMove(slot, to)
          yield* cluster.finishMove(slot, to)
          assert.strictEqual((yield* last)._tag, "Gap")
          yield* Cache.publish("beside", "1")
          assert.strictEqual(yield* textOf(plain), "1")
          yield* Cache.spublish("{last}", "2")
          assert.strictEqual(yield* textOf(last), "2")
        }).pipe(
          Effect.scoped,
          // So that both are listened to at the node that the slot leaves.
          Effect.provide(cache({}, { nodes: [{ host: from.host, port: from.port }] }))
        )
      }))

    it.effect("a wrong password ends the round of attempts", () =>
      Effect.gen(function*() {
        const { nodes: [node] } = yield* Nodes
        const error = yield* Effect.flip(Cache.ping()).pipe(
          Effect.provide(
            Cache.layer({ cluster: { nodes: [{ host: node!.host, port: node!.port }] }, minConnections: 0 })
          )
        )
        assert(error._tag === "PoolError" && error.reason._tag === "ConnectFailed")
        assert.strictEqual(error.reason.attempts, 1)
        assert.isFalse(error.isRetryable)
      }))
  })

  it.live("when a node dies its replica takes over, and writes come back by themselves", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, replicas: 1, password })
      yield* Effect.gen(function*() {
        const slot = yield* cluster.slotOf("k")
        const master = yield* cluster.masterOf(slot)
        yield* Cache.set("k", "1")
        yield* master.kill9
        const failures: Array<string> = []
        yield* Effect.tapError(Cache.set("k", "2"), (error) => Effect.sync(() => failures.push(reasonOf(error)))).pipe(
          Effect.retry(Schedule.spaced("50 millis")),
          Effect.timeout("20 seconds")
        )
        assert.strictEqual(yield* Cache.get("k"), "2")
        assert.isAbove(failures.length, 0)
      }).pipe(Effect.provide(cacheOf(cluster, { retry: Schedule.spaced("100 millis") })))
    }))

  it.live("when a node dies without a replica its keys fail with a typed error, and others are served", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3 })
      yield* Effect.gen(function*() {
        const slots = yield* Effect.forEach(range(60), (i) => Effect.map(cluster.slotOf(`k${i}`), (slot) => slot))
        const dead = yield* cluster.masterOf(slots[0]!)
        const owners = yield* Effect.forEach(slots, cluster.masterOf)
        yield* dead.kill9
        const exits = yield* Effect.forEach(range(60), (i) =>
          // What was on a connection to the dead node is lost with it, once.
          Effect.exit(Effect.retry(Cache.set(`k${i}`, "1"), {
            times: 3,
            while: (error) => error._tag === "RedisError" && error.reason._tag === "ConnectionLost"
          })))
        for (const [i, exit] of exits.entries()) {
          assert.strictEqual(Exit.isSuccess(exit), owners[i] !== dead, `k${i}`)
          if (Exit.isSuccess(exit)) continue
          const error = Exit.findErrorOption(exit)
          assert(error._tag === "Some" && error.value._tag === "RedisError" && error.value.isRetryable)
        }
      }).pipe(Effect.provide(cacheOf(cluster)))
    }))

  it.live("a node that answers nothing does not hold up the others", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ masters: 3, settings: { "cluster-node-timeout": 30_000 } })
      yield* Effect.gen(function*() {
        const frozen = yield* cluster.masterOf(yield* cluster.slotOf("frozen"))
        const key = `k${
          (yield* Effect.filter(range(20), (i) =>
            Effect.map(Effect.flatMap(cluster.slotOf(`k${i}`), cluster.masterOf), (owner) => owner !== frozen)))[0]
        }`
        yield* Effect.forEach(range(20), (i) => Cache.set(`k${i}`, "1"))
        yield* frozen.stop
        const stuck = yield* Effect.forkScoped(Effect.replicateEffect(Effect.exit(Cache.get("frozen")), 3))
        let served = 0
        yield* Effect.repeat(
          Effect.map(Effect.exit(Cache.get(key)), (exit) => void (Exit.isSuccess(exit) && served++)),
          { until: () => stuck.pollUnsafe() !== undefined, schedule: Schedule.spaced("5 millis") }
        )
        const exits = yield* Fiber.join(stuck)
        for (const exit of exits) assert.isTrue(Exit.isFailure(exit))
        assert.isAbove(served, 20)
        yield* frozen.cont
        yield* eventually("it is served again", Effect.map(Effect.exit(Cache.get("frozen")), Exit.isSuccess))
      }).pipe(Effect.provide(cacheOf(cluster, { commandTimeout: "300 millis" })))
    }))
})

const textOf = <E>(next: Effect.Effect<RedisSubscription.Element, E>) =>
  Effect.map(next, (element) => element._tag === "Message" ? element.message : element._tag)

const textAfterGaps = <E>(next: Effect.Effect<RedisSubscription.Element, E>) =>
  textOf(Effect.repeat(next, { until: (element) => element._tag !== "Gap" }))

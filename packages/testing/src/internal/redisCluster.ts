/**
 * Joins nodes to a cluster, and moves its slots.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { EmbeddedRedisError } from "./redisError.ts"
import type { Instance, Started } from "./redisInstance.ts"

/**
 * A node of a cluster.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterNode extends Instance {
  /** As in CLUSTER NODES. */
  readonly id: string
}

/**
 * A running cluster and what can be done to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cluster {
  /** The masters first, each of which holds its share of the slots, then the replicas. As they were at the start. */
  readonly nodes: ReadonlyArray<ClusterNode>
  /** The slot that a key belongs to. */
  readonly slotOf: (key: string) => Effect.Effect<number, EmbeddedRedisError>
  /** The holder of a slot just now. */
  readonly masterOf: (slot: number) => Effect.Effect<ClusterNode, EmbeddedRedisError>
  readonly replicasOf: (master: ClusterNode) => Effect.Effect<ReadonlyArray<ClusterNode>, EmbeddedRedisError>
  /** Opens the move of a slot: until `finishMove` its holder sends who wants a key that it lacks to `to`, with ASK. */
  readonly beginMove: (slot: number, to: ClusterNode) => Effect.Effect<void, EmbeddedRedisError>
  /** Takes the keys of the slot along. From then on its former holder sends everybody to `to`, with MOVED. */
  readonly finishMove: (slot: number, to: ClusterNode) => Effect.Effect<void, EmbeddedRedisError>
  /** Waits until every node that is up finds the cluster in order and knows who replaced those that are down. */
  readonly settled: Effect.Effect<void, EmbeddedRedisError>
}

/** A node's knowledge of another. */
interface View {
  readonly id: string
  readonly flags: ReadonlyArray<string>
  readonly masterId: string
  readonly slots: ReadonlyArray<readonly [from: number, to: number]>
}

const slotCount = 16_384

export const join = Effect.fnUntraced(function*(
  started: ReadonlyArray<Started>,
  masterCount: number
): Effect.fn.Return<Cluster, EmbeddedRedisError> {
  const nodes = yield* Effect.forEach(
    started,
    ({ instance }) =>
      Effect.map(instance.command("CLUSTER", "MYID"), (id): ClusterNode => ({ ...instance, id: String(id) }))
  )
  const masters = nodes.slice(0, masterCount)
  const replicas = nodes.slice(masterCount)
  yield* Effect.forEach(nodes, (node, index) => node.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1))
  yield* Effect.forEach(masters, (node, index) => node.command("CLUSTER", "ADDSLOTS", ...share(index, masterCount)))
  const introduce = Effect.forEach(
    started.slice(1),
    ({ instance, ports }) => nodes[0]!.command("CLUSTER", "MEET", instance.host, ...ports)
  )
  const areAcquainted = Effect.map(
    Effect.forEach(nodes, views),
    (all) => all.every((known) => isComplete(known, nodes.length))
  )
  // On a busy machine a greeting may take longer than the nodes' patience, and then it is forgotten.
  yield* Effect.retry(Effect.andThen(introduce, until(areAcquainted, "3 seconds")), { times: 9 })
  yield* Effect.forEach(
    replicas,
    (node, index) => node.command("CLUSTER", "REPLICATE", masters[index % masterCount]!.id)
  )
  yield* settle(nodes, replicas)
  return controls(nodes)
})

const share = (index: number, count: number): ReadonlyArray<number> => {
  const from = Math.floor(index * slotCount / count)
  return Array.from({ length: Math.floor((index + 1) * slotCount / count) - from }, (_, slot) => from + slot)
}

const isComplete = (known: ReadonlyArray<View>, count: number): boolean =>
  known.length === count && known.every(({ flags }) => !flags.includes("handshake"))

const settle = (
  nodes: ReadonlyArray<ClusterNode>,
  replicas: ReadonlyArray<ClusterNode>
): Effect.Effect<void, EmbeddedRedisError> =>
  Effect.andThen(
    until(Effect.map(Effect.forEach(nodes, views), (all) =>
      all.every((known) =>
        known.filter(({ flags }) => flags.includes("slave")).length === replicas.length
      ))),
    Effect.andThen(
      until(Effect.map(Effect.forEach(replicas, isAttached), (attached) =>
        attached.every((yes) => yes))),
      until(allInOrder(nodes))
    )
  )

const isAttached = (replica: ClusterNode): Effect.Effect<boolean, EmbeddedRedisError> =>
  Effect.map(replica.command("INFO", "replication"), (info) => String(info).includes("master_link_status:up"))

/** Every node that is up is content, and every slot has a holder that is up, as each of them sees it. */
const allInOrder = (nodes: ReadonlyArray<ClusterNode>): Effect.Effect<boolean, EmbeddedRedisError> =>
  Effect.gen(function*() {
    for (const node of yield* running(nodes)) {
      const info = String(yield* node.command("CLUSTER", "INFO"))
      // A node is content with the slots it knows of, however few those are.
      if (!info.includes("cluster_state:ok") || !info.includes(`cluster_slots_assigned:${slotCount}`)) return false
      const holders = (yield* views(node)).filter(({ slots }) => slots.length > 0)
      if (holders.some(({ flags }) => flags.includes("fail") || flags.includes("fail?"))) return false
      for (const { id } of holders) {
        if ((yield* byId(nodes, id).pid) === undefined) return false
      }
    }
    return true
  })

const controls = (nodes: ReadonlyArray<ClusterNode>): Cluster => {
  const anyone = Effect.flatMap(running(nodes), ([node]) => node === undefined ? allDown : Effect.succeed(node))
  const known = Effect.flatMap(anyone, views)
  const masterOf: Cluster["masterOf"] = (slot) =>
    Effect.flatMap(known, (all) => {
      const holder = all.find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to))
      return holder === undefined ? fail(`slot ${slot} has no holder`) : Effect.succeed(byId(nodes, holder.id))
    })
  return {
    nodes,
    slotOf: (key) => Effect.map(Effect.flatMap(anyone, (node) => node.command("CLUSTER", "KEYSLOT", key)), Number),
    masterOf,
    replicasOf: (master) =>
      Effect.map(known, (all) => all.filter(({ masterId }) => masterId === master.id).map(({ id }) => byId(nodes, id))),
    beginMove: Effect.fnUntraced(function*(slot, to) {
      const from = yield* masterOf(slot)
      yield* to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id)
      yield* from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
    }),
    finishMove: (slot, to) => Effect.flatMap(masterOf(slot), (from) => finishMove(nodes, slot, from, to)),
    settled: until(allInOrder(nodes))
  }
}

const finishMove = Effect.fnUntraced(function*(
  nodes: ReadonlyArray<ClusterNode>,
  slot: number,
  from: ClusterNode,
  to: ClusterNode
): Effect.fn.Return<void, EmbeddedRedisError> {
  const login = to.password === undefined ? [] : ["AUTH", Redacted.value(to.password)]
  while (true) {
    const keys = yield* from.command("CLUSTER", "GETKEYSINSLOT", slot, 100)
    if (!Array.isArray(keys) || keys.length === 0) break
    yield* from.command("MIGRATE", to.host, to.port, "", 0, 5000, ...login, "KEYS", ...keys.map(String))
  }
  // The new holder first: at no moment does nobody hold it.
  const all = yield* views(to)
  const masters = (yield* running(nodes)).filter(({ id }) =>
    all.some((view) => view.id === id && view.flags.includes("master"))
  )
  for (const node of [to, from, ...masters.filter((node) => node !== to && node !== from)]) {
    yield* node.command("CLUSTER", "SETSLOT", slot, "NODE", to.id)
  }
})

const views = (node: Instance): Effect.Effect<ReadonlyArray<View>, EmbeddedRedisError> =>
  Effect.map(
    node.command("CLUSTER", "NODES"),
    (text) =>
      String(text).split("\n").filter((line) => line !== "").map((line) => {
        const [id = "", , flags = "", masterId = "", , , , , ...slots] = line.split(" ")
        return {
          id,
          flags: flags.split(","),
          masterId,
          slots: slots.filter((slot) => !slot.startsWith("[")).map(range)
        }
      })
  )

const range = (text: string): readonly [from: number, to: number] => {
  const [from, to = from] = text.split("-").map(Number)
  return [from ?? 0, to ?? 0]
}

const running = (nodes: ReadonlyArray<ClusterNode>): Effect.Effect<ReadonlyArray<ClusterNode>> =>
  Effect.filter(nodes, (node) => Effect.map(node.pid, (pid) => pid !== undefined))

const byId = (nodes: ReadonlyArray<ClusterNode>, id: string): ClusterNode => nodes.find((node) => node.id === id)!

const fail = (detail: string): Effect.Effect<never, EmbeddedRedisError> =>
  Effect.fail(new EmbeddedRedisError({ step: "cluster", detail }))

const allDown = fail("no node is up")

/** Asks again and again, since gossip takes its time. A node may be about to die while it is asked. */
const until = (
  condition: Effect.Effect<boolean, EmbeddedRedisError>,
  duration: Duration.Input = "30 seconds"
): Effect.Effect<void, EmbeddedRedisError> =>
  Effect.orElseSucceed(condition, () => false).pipe(
    Effect.repeat({ schedule: Schedule.spaced("30 millis"), until: (isTrue: boolean) => isTrue }),
    Effect.timeoutOrElse({ duration, orElse: () => fail(`not in order after ${String(duration)}`) }),
    Effect.asVoid
  )

import { assert, describe, it } from "@effect/vitest"
import type { RawReply } from "../../src/RedisCommand.ts"
import { ClusterMap, counts, isInOrder } from "../../src/internal/clusterMap.ts"

const from = { host: "seed", port: 1 }
const node = (host: string, port: number, id: string): RawReply => [Buffer.from(host), port, Buffer.from(id)]

describe("the map of a cluster", () => {
  it("knows who holds which slot, and each primary once", () => {
    const map = new ClusterMap(new Map())
    map.read([[0, 10, node("a", 1, "A")], [11, 16_383, node("", 2, "B")], [5, 5, node("a", 1, "A")]], from)
    assert.deepStrictEqual(map.ownerOf(3), { host: "a", port: 1 })
    assert.deepStrictEqual(map.ownerOf(16_383), { host: "seed", port: 2 })
    assert.strictEqual(map.primaries.length, 2)
    assert.strictEqual(map.idOf({ host: "a", port: 1 }), "A")
  })

  it("keeps what it knows when a server knows of nobody, or answers something else", () => {
    const map = new ClusterMap(new Map())
    map.read([[0, 16_383, node("a", 1, "A")]], from)
    for (const reply of [[], null, "OK", [[0, 1]], [["0", "1", node("b", 1, "B")]]] as ReadonlyArray<RawReply>) {
      map.read(reply, from)
      assert.deepStrictEqual(map.primaries, [{ host: "a", port: 1 }], JSON.stringify(reply))
    }
  })

  it("does not count for ever", () => {
    const map = new ClusterMap(new Map())
    for (const last of [1e15, Infinity, -5, 16_384, 0.5]) map.read([[0, last, node("b", 1, "B")]], from)
    assert.isUndefined(map.ownerOf(0))
    const range = [0, 16_383, node("b", 1, "B")]
    const before = performance.now()
    map.read(Array.from({ length: 100_000 }, () => range), from)
    assert.isBelow(performance.now() - before, 1000)
  })

  it("translates addresses, those of redirections as well", () => {
    const map = new ClusterMap(new Map([["10.0.0.1:6379", { host: "outside", port: 7001 }]]))
    map.read([[0, 16_383, node("10.0.0.1", 6379, "A")]], from)
    assert.deepStrictEqual(map.primaries, [{ host: "outside", port: 7001 }])
    assert.deepStrictEqual(map.redirection(new Error("MOVED 7 10.0.0.1:6379"), from)?.address, map.primaries[0])
    assert.deepStrictEqual(map.redirection(new Error("ASK 7 :6380"), from)?.address, { host: "seed", port: 6380 })
    assert.isUndefined(map.redirection(new Error("MOVED somewhere"), from))
  })
})

describe("a node", () => {
  const line = (id: string, flags: string) => `${id} 127.0.0.1:1@2 ${flags} - 0 0 1 connected 0-5`

  it("counts as long as another lists it, and does not think it dead", () => {
    const listed = (flags: string) => counts(Buffer.from(`${line("X", "master")}\n${line("A", flags)}\n`), "A")
    for (const flags of ["master", "slave", "myself,master", "master,fail?"]) assert.isTrue(listed(flags), flags)
    for (const flags of ["master,fail", "master,noaddr", "handshake"]) assert.isFalse(listed(flags), flags)
    assert.isFalse(counts(Buffer.from(line("X", "master")), "A"))
    for (const nothing of [null, [], "no list"] as ReadonlyArray<RawReply>) assert.isTrue(counts(nothing, "A"))
  })

  it("is out of order only where it says so", () => {
    assert.isFalse(isInOrder(Buffer.from("cluster_state:fail\r\ncluster_slots_assigned:0")))
    for (const info of [Buffer.from("cluster_state:ok"), null] as ReadonlyArray<RawReply>) {
      assert.isTrue(isInOrder(info))
    }
  })
})

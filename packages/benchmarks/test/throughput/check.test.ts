import { assert, describe, it } from "@effect/vitest"
import { check, sumOf } from "../../src/throughput/check.ts"
import { bareClient } from "../../src/throughput/client.ts"
import type { Client, Located, Workload } from "../../src/throughput/workload.ts"

const scenario: Located = {
  name: "throughput/double/10",
  workload: "double",
  server: "http",
  callers: 10,
  operations: 1000,
  least: 500,
  url: "http://nowhere"
}

const workload: Workload<unknown> = {
  name: "double",
  server: "http",
  operations: { 1: 1000, 10: 1000, 64: 640 },
  isRight: (i, result) => result === 2 * i,
  weigh: Number,
  weight: (i) => 2 * i,
  contenders: []
}

const doubling = (one = async (i: number): Promise<unknown> => 2 * i): Client<unknown> =>
  bareClient(one, () => Promise.resolve())

const refusal = async (client: Client<unknown>, inspected = workload): Promise<string> => {
  const error: unknown = await check(inspected, "rival", client, scenario).then(() => undefined, (error) => error)
  return error instanceof Error ? error.message : "none"
}

describe("the check before a race on a server", () => {
  it("a client that gives the right results passes", async () => {
    assert.strictEqual(await refusal(doubling()), "none")
  })

  it("a client that gives another result is refused, even if it weighs the same", async () => {
    assert.match(await refusal(doubling(async (i) => String(2 * i))), /rival gave another result for operation 0/)
  })

  it("a client that skips operations is refused", async () => {
    const client = doubling()
    const lazy = { ...client, run: (callers: number, total: number) => client.run(callers, total / 2, Number) }
    assert.match(await refusal(lazy), /add up to \d+, not to 9900/)
  })

  it("a client that fails is refused", async () => {
    assert.match(await refusal(doubling(() => Promise.reject(new Error("refused")))), /refused/)
  })

  it("a client that has not left at the server what it should have is refused", async () => {
    const inspected = { ...workload, inspect: () => Promise.resolve("did not write session:7") }
    assert.match(await refusal(doubling(), inspected), /rival did not write session:7/)
  })

  it("the sum is that of the operations from 0 on", () => {
    assert.strictEqual(sumOf(workload, 4), 12)
  })
})

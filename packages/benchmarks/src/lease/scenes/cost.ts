/** The cost of a lease in a pool of so many connections and with so many callers, each of which takes several. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { checksum, makeBody } from "../bodies.ts"
import { makeConnections } from "../connections.ts"
import { contenderOf } from "../contenders/all.ts"

export interface Cost {
  readonly _tag: "cost"
  readonly contender: string
  readonly size: number
  readonly callers: number
  readonly leases: number
}

export interface Outcome {
  /** Microseconds of processor time a lease, the median of the rounds. */
  readonly cpu: number
}

setFlagsFromString("--expose-gc")
const collectGarbage: (options: { readonly type: "minor" }) => void = runInNewContext("gc")

const rounds = 5

export const run = async ({ callers, contender, leases, size }: Cost): Promise<Outcome> => {
  const connections = makeConnections()
  const running = await contenderOf(contender).setUp(connections, size)
  const body = makeBody("hop")
  const laps: Array<number> = []
  // The compiler sees the same callers first, and two rounds of these do not count.
  for (let round = -2; round < rounds; round++) {
    body.restart()
    collectGarbage({ type: "minor" })
    const before = process.cpuUsage()
    const sum = await running.run(callers, leases, body)
    const { system, user } = process.cpuUsage(before)
    if (sum !== checksum(leases)) throw new Error(`${contender} lost a result`)
    if (round >= 0) laps.push((user + system) / leases)
  }
  await running.close()
  return { cpu: laps.toSorted((a, b) => a - b)[rounds >> 1]! }
}

/** Before anything is timed: every contender must do the same work, and do it safely. */
import * as Effect from "effect/Effect"
import { inTime, Unequal } from "../race.ts"
import { type Body, checksum, failing, makeBody } from "./bodies.ts"
import type { Connection, Connections } from "./connections.ts"
import { type Contender, poolSize, type Running } from "./contender.ts"
import type { Scenario } from "./scenarios.ts"

export interface Racer {
  readonly contender: Contender
  readonly connections: Connections
  readonly running: Running
}

interface Ledger {
  readonly body: Body
  readonly held: Set<Connection>
  runs: number
  /** The most connections that were held at one time. */
  peak: number
  /** How often a connection was lent while somebody held it. */
  overlaps: number
}

/** Wraps a body so that who holds what is written down. */
const makeLedger = (inner: Body): Ledger => {
  const enter = (connection: Connection) => {
    ledger.runs++
    if (ledger.held.has(connection)) ledger.overlaps++
    ledger.held.add(connection)
    ledger.peak = Math.max(ledger.peak, ledger.held.size)
  }
  const leave = (connection: Connection) => ledger.held.delete(connection)
  const body: Body = {
    async bare(connection) {
      enter(connection)
      try {
        return await inner.bare(connection)
      } finally {
        leave(connection)
      }
    },
    effect: (connection) =>
      Effect.suspend(() => {
        enter(connection)
        return Effect.ensuring(inner.effect(connection), Effect.sync(() => leave(connection)))
      }),
    restart: inner.restart
  }
  const ledger: Ledger = { body, held: new Set(), runs: 0, peak: 0, overlaps: 0 }
  return ledger
}

const checkFailures = async (running: Running, unequal: (problem: string) => Unequal): Promise<void> => {
  // More failures than connections: if they did not come back, there would be none left.
  for (let i = 0; i < 3 * poolSize; i++) {
    const failed = await running.run(1, 1, failing).then(() => false, () => true)
    if (!failed) throw unequal("swallowed the failure of a body")
  }
}

/** Throws `Unequal` if the contender does not do what all must do. */
export const check = async ({ connections, contender, running }: Racer, scenario: Scenario): Promise<void> => {
  const unequal = (problem: string) => new Unequal(scenario.name, contender.name, problem)
  const leases = 300 * Math.ceil(scenario.callers / 100)
  const total = leases - leases % scenario.callers
  await inTime(checkFailures(running, unequal), unequal)
  const ledger = makeLedger(makeBody(scenario.body))
  const sum = await inTime(running.run(scenario.callers, total, ledger.body), unequal)
  if (ledger.runs !== total) throw unequal(`ran the body ${ledger.runs} times for ${total} leases`)
  if (sum !== checksum(total)) throw unequal(`gave results that add up to ${sum}, not to ${checksum(total)}`)
  if (ledger.held.size > 0) throw unequal(`left ${ledger.held.size} connections held`)
  if (contender.way === "floor") return
  if (ledger.overlaps > 0) throw unequal(`lent a connection twice at one time, ${ledger.overlaps} times`)
  if (connections.peak > poolSize) throw unequal(`had ${connections.peak} connections open, the limit is ${poolSize}`)
  const expected = Math.min(scenario.callers, poolSize)
  if (scenario.body === "hop" && ledger.peak !== expected) {
    throw unequal(`lent ${ledger.peak} connections at one time where ${expected} callers wanted one`)
  }
}

/** After the race: what was opened is closed, and there never were too many. */
export const checkClosed = ({ connections, contender }: Racer, scenario: Scenario): void => {
  if (connections.opened !== connections.closed) {
    const left = connections.opened - connections.closed
    throw new Unequal(scenario.name, contender.name, `left ${left} connections open after its close`)
  }
  if (connections.peak > poolSize) {
    throw new Unequal(scenario.name, contender.name, `had ${connections.peak} connections open while timed`)
  }
}

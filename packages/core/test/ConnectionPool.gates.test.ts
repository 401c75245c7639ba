import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { behaviours, combinations, fates, runGates } from "./utils/gateMatrix.ts"

const cases = behaviours.flatMap((connect) => fates.map((fate) => ({ connect, fate })))

describe("whatever connect, validate, reset and close do", () => {
  it.effect.each(cases)(
    "the pool keeps its rules, recovers and drains: connect $connect, and a caller $fate",
    ({ connect, fate }) => Effect.forEach(combinations(connect), (gates) => runGates(gates, fate), { discard: true }),
    60_000
  )
})

/** A row by its key. */
import { isDeepStrictEqual } from "node:util"
import type { Workload } from "../workload.ts"
import { type Answer, postgresContenders } from "./contenders.ts"
import { people, type Person, personOf } from "./data.ts"

const rowOf = (answer: Answer): Person | undefined => ("rows" in answer ? answer.rows : answer)[0]

const select: Workload<Answer> = {
  name: "postgres-select",
  server: "postgres",
  operations: { 1: 3000, 10: 7500, 64: 12_800 },
  isRight: (i, answer) => isDeepStrictEqual({ ...rowOf(answer) }, personOf(i)),
  weigh: (answer) => rowOf(answer)?.id ?? Number.NaN,
  weight: (i) => i % people,
  contenders: postgresContenders
}

export const postgresWorkloads: ReadonlyArray<Workload<unknown>> = [select]

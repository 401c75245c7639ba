import type { Workload } from "../workload.ts"
import { insert } from "./insert.ts"
import { rows, select } from "./select.ts"
import { transaction } from "./transaction.ts"

export const postgresWorkloads: ReadonlyArray<Workload<unknown>> = [
  select,
  rows as Workload<unknown>,
  insert as Workload<unknown>,
  transaction as Workload<unknown>
]

/** A small JSON document. */
import { isDeepStrictEqual } from "node:util"
import type { Workload } from "../workload.ts"
import { httpContenders } from "./contenders.ts"
import { type Item, itemOf, items } from "./data.ts"

const get: Workload<unknown> = {
  name: "http-get",
  server: "http",
  operations: { 1: 3000, 10: 10_000, 64: 12_800 },
  isRight: (i, item) => isDeepStrictEqual(item, itemOf(i)),
  weigh: (item) => (item as Item).id, // compared in full before
  weight: (i) => i % items,
  contenders: httpContenders
}

export const httpWorkloads: ReadonlyArray<Workload<unknown>> = [get]

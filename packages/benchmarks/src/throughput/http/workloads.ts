/** A small JSON document, in the clear, over TLS and over HTTP/2; and a large one. */
import { isDeepStrictEqual } from "node:util"
import type { Workload } from "../workload.ts"
import { contendersFor, contendersOfHttp2, contendersWithTls } from "./contenders.ts"
import { type Item, itemOf, items, largeItemOf, largePathOf, pathOf } from "./data.ts"

const get: Workload<unknown> = {
  name: "http-get",
  server: "http",
  operations: { 1: 3000, 10: 10_000, 64: 12_800 },
  isRight: (i, item) => isDeepStrictEqual(item, itemOf(i)),
  weigh: (item) => (item as Item).id, // compared in full before
  weight: (i) => i % items,
  contenders: contendersFor(pathOf)
}

const getLarge: Workload<unknown> = {
  ...get,
  name: "http-large-get",
  worth: 10,
  operations: { 1: 500, 10: 750, 64: 960 },
  isRight: (i, item) => isDeepStrictEqual(item, largeItemOf(i)),
  contenders: contendersFor(largePathOf)
}

const getWithTls: Workload<unknown> = {
  ...get,
  name: "https-get",
  server: "https",
  operations: { 1: 2500, 10: 7500, 64: 9600 },
  contenders: contendersWithTls(pathOf)
}

const getByHttp2: Workload<unknown> = {
  ...get,
  name: "http2-get",
  server: "http2",
  worth: 2,
  operations: { 1: 1500, 10: 4000, 64: 6400 },
  contenders: contendersOfHttp2(pathOf)
}

export const httpWorkloads: ReadonlyArray<Workload<unknown>> = [get, getLarge, getWithTls, getByHttp2]

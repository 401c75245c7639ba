/** A message and its echo, many at once on each connection or one. */
import type { Workload } from "../workload.ts"
import { wsExclusive, wsShared } from "./bare.ts"
import { type Message, text } from "./data.ts"
import { wsExclusiveInEffect, wsSharedInEffect } from "./inEffect.ts"
import { exclusive, shared } from "./ours.ts"

const echo: Omit<Workload<Message>, "name" | "contenders"> = {
  server: "websocket",
  operations: { 1: 5000, 10: 15_000, 64: 32_000 },
  isRight: (i, message) => message.number === i && message.text === text,
  weigh: ({ number }) => number,
  weight: (i) => i
}

export const websocketWorkloads: ReadonlyArray<Workload<unknown>> = [
  { ...echo, name: "websocket-request", contenders: [...shared, wsShared, wsSharedInEffect] },
  { ...echo, name: "websocket-exclusive", contenders: [exclusive, wsExclusive, wsExclusiveInEffect] }
] satisfies ReadonlyArray<Workload<Message>>

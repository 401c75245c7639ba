/** The callers of one contender in a process of their own, which note when each is answered and how long the loop stalls. */
import { endWithParent } from "../children.ts"
import { contenders } from "./contenders.ts"

export type Order =
  | { readonly _tag: "Call"; readonly port: number }
  /** The server goes away now. */
  | { readonly _tag: "Away" }
  /** The server was back at this moment. */
  | { readonly _tag: "Back"; readonly at: number }

export interface Outcome {
  /** The longest turn of the event loop from the loss until all were served again, in ms of the thread's processor time. */
  readonly stall: number
  /** From the server's return until the first was served, and until each of them was; ms. */
  readonly first: number
  readonly all: number
}

export const callers = 1000

const answered = new Float64Array(callers)

let stall = 0
let isWatching = false

const busy = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

/** By processor time: the machine may have other work too. */
const watch = (): void => {
  let last = busy()
  const look = (): void => {
    const now = busy()
    stall = Math.max(stall, now - last)
    last = now
    // By a timer, since a loop that always turns would be all that the process does.
    if (isWatching) setTimeout(look, 1)
  }
  look()
}

const outcome = (at: number): Promise<Outcome> =>
  new Promise((resolve) => {
    const look = (): void => {
      const times = Array.from(answered)
      if (times.some((time) => time < at)) return void setTimeout(look, 20)
      isWatching = false
      resolve({ stall, first: firstAt - at, all: lastAt - at })
    }
    look()
  })

// The moments are noted by the first answer of each after the loss.
let since = Infinity
let firstAt = 0
let lastAt = 0

const onAnswer = (caller: number): void => {
  if (answered[caller]! >= since) return
  const now = Date.now()
  answered[caller] = now
  if (since === Infinity) return
  if (firstAt === 0) firstAt = now
  lastAt = now
}

endWithParent()
process.on("message", (order: Order) => {
  switch (order._tag) {
    case "Call":
      void contenders[process.argv[2] ?? ""]?.call(order.port, callers, onAnswer)
      setTimeout(() => process.send?.({}), 2000)
      return
    case "Away":
      isWatching = true
      watch()
      // Calls under way may still be answered; half a second later none is for the rest of the outage.
      setTimeout(() => {
        since = Date.now()
      }, 500)
      process.send?.({})
      return
    case "Back":
      void outcome(order.at).then((outcome) => process.send?.(outcome))
  }
})

/**
 * The least that a pool in Effect can be: a list of connections and a queue. Not a rival, since it keeps no limit, no
 * count and no clock, and loses a connection with a caller that is interrupted while it waits, but the part of a wait that
 * belongs to Effect.
 */
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import type { Body } from "../bodies.ts"
import type { Connection } from "../connections.ts"
import { type Contender, poolSize } from "../contender.ts"
import { driveEffect } from "../../drive.ts"

interface Turn {
  connection: Connection | undefined
  resume: (run: ReturnType<Body["effect"]>) => void
  run: ReturnType<Body["effect"]>
}

const nobody = (): void => {}

/**
 * Lends connections, first come first served. No function literal is assigned to a property: V8 makes such a one in the old space,
 * and each of them would keep its turn alive until a full collection.
 */
const makeLend = (idle: Array<Connection>) => {
  const waiting: Array<Turn> = []
  const dispatcher = new Scheduler.MixedScheduler().makeDispatcher()

  const end = ({ connection }: Turn): undefined => {
    const next = waiting.shift()
    if (next === undefined) idle.push(connection!)
    else {
      next.connection = connection
      dispatcher.scheduleTask(() => next.resume(next.run), 0)
    }
  }

  return (body: Body["effect"]): ReturnType<Body["effect"]> =>
    Effect.suspend(() => {
      const run: Turn["run"] = Effect.suspend(() => body(turn.connection!))
      const turn: Turn = { connection: undefined, resume: nobody, run }
      const begin = Effect.suspend(() => {
        turn.connection = idle.pop()
        if (turn.connection !== undefined) return run
        return Effect.callback<number, Effect.Error<typeof run>>((resume) => {
          turn.resume = resume
          waiting.push(turn)
        })
      })
      return Effect.onExitPrimitive(begin, () => end(turn))
    })
}

export const bareQueue: Contender = {
  name: "bare queue in Effect",
  way: "queue",
  async setUp(connections, size = poolSize) {
    const all = Array.from({ length: size }, connections.open)
    const lend = makeLend([...all])
    return {
      run: (callers, total, body) => driveEffect(callers, total, () => lend(body.effect)),
      close: async () => all.forEach(connections.close)
    }
  }
}

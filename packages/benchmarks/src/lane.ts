/**
 * One contender in a process of its own, told over IPC what to do next.
 *
 * In one process all contenders would share what the compiler has learned: code that several of them use, such as the
 * run loop of Effect, would be compiled for all of them at once and be slower for each than it is in any program.
 */
import { endWithParent } from "./children.ts"
import type { Order, Reply, TrackName } from "./orders.ts"
import type { Lap, Race } from "./race.ts"

/** Sets a contender up for a scenario of its track. */
type Track = (contender: string, scenario: never) => Promise<Race>

// Loaded when asked for: a process has only the code of its own contender's kind in it.
const tracks: Record<TrackName, () => Promise<Track>> = {
  lease: async (): Promise<Track> => (await import("./lease/track.ts")).track,
  throughput: async (): Promise<Track> => (await import("./throughput/track.ts")).track,
  traffic: async (): Promise<Track> => (await import("./traffic/race/track.ts")).track
}

const [trackName, contender] = process.argv.slice(2)

let race: Race | undefined

const obey = async (order: Order): Promise<Lap | undefined> => {
  if (order._tag === "SetUp") {
    const track = await tracks[trackName as TrackName]()
    race = await track(contender ?? "", order.scenario as never) // what the suite of the same name has sent
    return undefined
  }
  if (race === undefined) throw new Error("nothing is set up")
  if (order._tag === "Round") return race.round()
  await race.finish()
  race = undefined
  return undefined
}

const send = (reply: Reply): void => {
  process.send?.(reply)
}

endWithParent()
process.on("message", (order: Order) => {
  obey(order).then(
    (lap) => send({ _tag: "Done", lap }),
    (error: unknown) => send({ _tag: "Failed", problem: String(error) })
  )
})

/**
 * A service at three times its capacity, with and without its pool being told who waits for how long: the answers that
 * somebody still waited for, second by second. With `--picture FILE` it draws them.
 */
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, FileSystem } from "effect"
import { parseArgs } from "node:util"
import { draw } from "./picture.ts"
import { capacity, patience, run, type Second, type Way } from "./service.ts"

const load = 3
const { picture, seconds } = parseArgs({
  options: { picture: { type: "string" }, seconds: { type: "string", default: "8" } }
}).values

const without: Way = { name: "without", isTold: false, options: { acquireTimeout: patience, slowAcquireTimeout: 900 } }

const withTraffic: Way = { name: "with", isTold: true, options: { traffic: { shedAfter: "20 millis" } } }

const sum = (all: ReadonlyArray<Second>, read: (second: Second) => number): number =>
  all.reduce((total, second) => total + read(second), 0)

const tell = (name: string, all: ReadonlyArray<Second>) => {
  const useful = 100 * sum(all, ({ answered }) => answered) / (capacity * all.length)
  const high = 100 * sum(all, ({ answeredHigh }) => answeredHigh) / sum(all, ({ askedHigh }) => askedHigh)
  return Console.log(`${name}: ${Math.round(useful)} % of the capacity is useful, ${Math.round(high)} % of high served`)
}

const program = Effect.gen(function*() {
  const [before, after] = yield* Effect.all(
    [without, withTraffic].map((way) => run(way, load, Number(seconds))),
    { concurrency: "unbounded" }
  )
  const ways = { without: before!, "with Traffic": after! }
  yield* Effect.forEach(Object.entries(ways), ([name, all]) => tell(name, all), { discard: true })
  if (picture === undefined) return
  const files = yield* FileSystem.FileSystem
  yield* files.writeFileString(picture, draw(ways, load))
})

program.pipe(Effect.provide(NodeFileSystem.layer), NodeRuntime.runMain)

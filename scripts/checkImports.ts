/**
 * Checks which way the imports of the packages go, types included: no circle between files, and inside the core's engine
 * each room imports only from those before it.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"

/** The rooms of the engine, from the ground up. The files beside the rooms put them together. */
const rooms = [
  "model",
  "base",
  "budget",
  "options",
  "watch",
  "line",
  "sizing",
  "places",
  "trust",
  "dial",
  "pool",
  "diagnosis",
  "lease",
  "proof",
  "open",
  "end",
  ".",
  "service",
  "balance"
]

const engine = "packages/core/src/internal"
const root = normalize(join(import.meta.dirname, ".."))

const files = globSync("packages/*/src/**/*.ts", { cwd: root }).toSorted()

const importsOf = (file: string): ReadonlyArray<string> => {
  const text = readFileSync(join(root, file), "utf8").replaceAll(/^ *(\*|\/\/|\/\*).*$/gm, "")
  const found = text.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*"([^"]+)"/g)
  return [...found].map(([, to]) => resolve(file, to!)).filter((to) => to !== undefined)
}

const resolve = (from: string, to: string): string | undefined => {
  if (to.startsWith(".")) return relative(root, join(root, dirname(from), to))
  const [, name, module = "index"] = /^@effect-pools\/([^/]+)(?:\/(.+))?$/.exec(to) ?? []
  const file = `packages/${name}/src/${module}.ts`
  return name !== undefined && existsSync(join(root, file)) ? file : undefined
}

const graph = new Map(files.map((file) => [file, importsOf(file)]))

/** Files that can reach one another (Tarjan's strongly connected components), largest first. */
const circles = (): ReadonlyArray<ReadonlyArray<string>> => {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: Array<string> = []
  const found: Array<ReadonlyArray<string>> = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    low.set(file, order.get(file)!)
    stack.push(file)
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!))
    }
    if (low.get(file) !== order.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1 || graph.get(file)?.includes(file)) found.push(circle)
  }
  for (const file of files) if (!order.has(file)) visit(file)
  return found.toSorted((a, b) => b.length - a.length)
}

/** One way around a circle, the shortest from its first file. */
const wayAround = (circle: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [start] = circle
  let ways = [[start!]]
  for (;;) {
    const longer: Array<Array<string>> = []
    for (const way of ways) {
      for (const next of graph.get(way.at(-1)!)!) {
        if (next === start) return [...way, next]
        if (circle.includes(next) && !way.includes(next)) longer.push([...way, next])
      }
    }
    ways = longer
  }
}

const roomOf = (file: string): string => {
  const path = relative(engine, file).split("/")
  return path.length === 1 ? "." : path[0]!
}

const againstTheRooms = (): ReadonlyArray<string> =>
  files.filter((file) => file.startsWith(`${engine}/`)).flatMap((file) =>
    graph.get(file)!
      .filter((to) => to.startsWith(`${engine}/`) && rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(file)))
      .map((to) =>
        `${relative(engine, file)} imports ${relative(engine, to)}, but ${roomOf(file)} comes before ${roomOf(to)}`
      )
  )

const unknownRooms = new Set(
  files.filter((file) => file.startsWith(`${engine}/`)).map(roomOf).filter((room) => !rooms.includes(room))
)

const faults = [
  ...[...unknownRooms].map((room) => `${engine}/${room} is no room of the list in scripts/checkImports.ts`),
  ...circles().map((circle) => `a circle of ${circle.length} files: ${wayAround(circle).join(" -> ")}`),
  ...againstTheRooms()
]
for (const fault of faults) console.error(`checkImports: ${fault}`)
if (faults.length > 0) process.exitCode = 1

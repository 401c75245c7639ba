/** One start in a process of its own: what it takes to load a case, and then to build its layer. */
import { endWithParent } from "../children.ts"
import { cases } from "./cases.ts"

export interface Start {
  /** Milliseconds. */
  readonly load: number
  readonly layer: number
  /** Memory of the process after it, in MB. */
  readonly memory: number
}

const probe = async (name: string): Promise<Start> => {
  const found = cases.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no start of "${name}"`)
  const begun = performance.now()
  const layer = await found.load()
  const loaded = performance.now()
  if (layer !== undefined) {
    const [Effect, Layer] = await Promise.all([import("effect/Effect"), import("effect/Layer")])
    await Effect.runPromise(Effect.scoped(Layer.build(layer())))
  }
  const built = performance.now()
  return { load: loaded - begun, layer: built - loaded, memory: process.memoryUsage().rss / 2 ** 20 }
}

endWithParent()
process.send?.(await probe(process.argv[2] ?? ""))

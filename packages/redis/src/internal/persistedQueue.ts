/**
 * Offers of `PersistedQueue` that nobody could ever take.
 *
 * Its Redis store adds an element to one key, and takes it by a script over several. In a cluster without a hash tag the
 * first succeeds and the second never does: `take` tries again for ever and tells nobody. So the first is refused as well.
 * This can go when the store of `effect/persistence` keeps its keys in one slot, or when its `take` fails.
 */
import { slotOf } from "./slot.ts"

/** Whether the keys of the element's queue would belong to several slots. */
export const isLost = (command: string, args: ReadonlyArray<string>): boolean => {
  const [key] = args
  const verb = command.toUpperCase()
  if (key === undefined || (verb !== "RPUSH" && verb !== "ZADD")) return false
  // As the store writes what it offers, and nobody else but by chance.
  if (args.at(-1)?.startsWith(`{"id":`) !== true) return false
  const queue = verb === "ZADD" ? key.replace(/:delayed$/, "") : key
  return slotOf(queue) !== slotOf(`${queue}:pending`)
}

export const rule =
  "offers to a queue whose keys belong to several slots of the cluster, so that nobody could take it: give the store a "
  + "prefix with a hash tag, such as \"{jobs}:\", or the queue a name with one"

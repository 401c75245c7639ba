/** Which part of a pool's name tells it from the others, so that another part is cut where there is no room. */
import { computed } from "@preact/signals"
import { pools } from "./store.ts"

/** A name as short as that is shown whole. */
const short = 28
/** The least that is kept whole, and the most: what differs further to the left is at the beginning. */
const least = 8
const most = 24

const reversed = (name: string): string => Array.from(name).toReversed().join("")

const common = (a: string, b: string): number => {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

/** How many characters at the end no other name has the same. */
const uniqueTails = (names: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const sorted = Array.from(new Set(names), (name) => [reversed(name), name] as const).toSorted(([a], [b]) =>
    a < b ? -1 : 1
  )
  return new Map(sorted.map(([mine, name], index) => {
    const before = sorted[index - 1]?.[0] ?? ""
    const after = sorted[index + 1]?.[0] ?? ""
    return [name, Math.max(common(mine, before), common(mine, after)) + 1]
  }))
}

const tails = computed(() => uniqueTails(pools.value.map(({ name }) => name)))

export interface Parts {
  readonly before: string
  readonly after: string
  /** Which of them is never cut. */
  readonly whole: "before" | "after"
}

/** The parts of a name, or `undefined` where it is shown whole. */
export const partsOf = (name: string): Parts | undefined => {
  if (name.length <= short) return undefined
  const unique = tails.value.get(name) ?? least
  return unique > most
    ? { before: name.slice(0, most), after: name.slice(most), whole: "before" }
    : { before: name.slice(0, -Math.max(least, unique)), after: name.slice(-Math.max(least, unique)), whole: "after" }
}

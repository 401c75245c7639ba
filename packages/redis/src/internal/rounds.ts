/**
 * Waits for ever in rounds.
 *
 * Nothing tells a command without a limit that whoever it waits at is gone: a proxy in between answers the probes of TCP
 * itself. So it is sent anew now and then, and a round that gets no answer ends as any command that gets none.
 */
import * as Dirt from "./dirt.ts"
import type { EncodedArg } from "./request.ts"

/** The arguments with a limit of so many milliseconds; `undefined` for what does not wait for ever, or can't begin anew. */
export const within = (
  name: string,
  args: ReadonlyArray<EncodedArg>,
  millis: number
): ReadonlyArray<EncodedArg> | undefined => {
  const index = limitOf(name, args)
  if (index === undefined || Dirt.blockLimit(name, args) !== Infinity) return undefined
  return args.with(index, String(name.startsWith("X") ? millis : millis / 1000))
}

/** Where the limit stands. */
const limitOf = (name: string, args: ReadonlyArray<EncodedArg>): number | undefined => {
  if (atEnd.has(name)) return args.length - 1
  if (name === "BLMPOP" || name === "BZMPOP") return 0
  if (name !== "XREAD" && name !== "XREADGROUP") return undefined
  const words = args.map((arg) => arg.toString().toUpperCase())
  const streams = words.indexOf("STREAMS")
  const block = words.indexOf("BLOCK")
  // A message between two rounds would be missed.
  const isRelative = name === "XREAD" && words.slice(streams + 1).some((word) => word === "$" || word === "+")
  return block < 0 || block > streams || isRelative ? undefined : block + 1
}

const atEnd: ReadonlySet<string> = new Set(["BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX"])

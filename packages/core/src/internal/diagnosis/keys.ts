/**
 * A cause that is told by the keys of callers: one of them starves the others.
 */
import { oneLine } from "../../Describe.ts"
import type { CauseEntry } from "./cause.ts"
import { isFelt, type KeyGroup } from "./observation.ts"
import { count, duration } from "./words.ts"

/** The share of the connections with which one key has most of them. */
const mostOf = 0.6

/** Others that wait for longer than this suffer: in milliseconds. */
const longWait = 100

export const oneKey: CauseEntry = {
  cause: "oneKey",
  silences: ["utilization", "queue", "wait", "failures"],
  find: (seen) => {
    const { config, keys, stats } = seen
    if (stats.used < stats.limit || stats.limit < 2 || !isFelt(seen)) return undefined
    const flood = keys.find(({ key, used }) => key !== undefined && used >= Math.ceil(mostOf * stats.limit))
    if (flood === undefined) return undefined
    const others = keys.filter((each) => each !== flood && each.pending > 0)
    const waiting = others.reduce((sum, { pending }) => sum + pending, 0)
    const longest = Math.max(0, ...others.map(({ oldest }) => oldest))
    if (waiting === 0 || longest < (config.thresholds?.wait ?? longWait)) return undefined
    return {
      ago: longest,
      text: `callers of the key “${oneLine(flood.key!)}” hold ${flood.used} of ${stats.limit} connections` +
        `${more(flood)}, while ${count(waiting, "caller")} of ${count(others.length, "other key")} ` +
        `${waiting === 1 ? "waits" : "wait"}, the longest for ${duration(longest)}`,
      remedy: remedy(config.traffic.maxShare)
    }
  }
}

const more = ({ pending }: KeyGroup): string => pending === 0 ? "" : ` and ${pending} more of them wait`

const remedy = (maxShare: number): string =>
  (maxShare < 1
    ? `Lower traffic.maxShare (now ${maxShare})`
    : "Bound what one key may hold: traffic.maxShare 0.4 keeps most connections free for the others") +
  "; or let its leases be shorter, since a pool can't take a connection back."

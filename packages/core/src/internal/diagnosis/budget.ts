/**
 * A cause outside of the pool: the budget that it shares holds it down.
 */
import { oneLine } from "../../Describe.ts"
import type { CauseEntry } from "./cause.ts"
import { isFelt } from "./observation.ts"
import { count, sufferers } from "./words.ts"

export const budgetSpent: CauseEntry = {
  cause: "budgetSpent",
  silences: ["utilization", "queue", "wait", "failures"],
  find: (seen) => {
    const { budget, limit, limitedBy, maxConnections, oldestWaiter, used } = seen.stats
    if (budget === undefined || limitedBy !== "budget" || used < limit || !isFelt(seen)) return undefined
    const { name, others, othersHold, store, total } = budget
    const who = `${count(others, "other pool or process", "other pools and processes")} ${
      others === 1 ? "holds" : "hold"
    }`
    const away = store === "away" ? ", and the store that they share it by does not answer" : ""
    return {
      ago: oldestWaiter,
      text:
        `the budget “${oneLine(name)}” holds this pool at ${limit} of ${count(maxConnections, "connection")}: ${who} ` +
        `${othersHold} of its ${total}${away}; ${sufferers(seen)}`,
      remedy: store === "away"
        ? "Bring the store of the budget back: until then each process keeps to what it was granted last."
        : "Let the others hold fewer connections or for a shorter time, or raise the budget's total as far as the server " +
          "bears it; a floor keeps some for this pool."
    }
  }
}

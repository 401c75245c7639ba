/**
 * Causes that those who hold the connections tell of.
 */
import type { CauseEntry } from "./cause.ts"
import { areCallersFailing, type HolderGroup, isFelt, type Observation } from "./observation.ts"
import { leasesToAdvise } from "./size.ts"
import { count, duration, named, round, sufferers, timeOf } from "./words.ts"
import type { Borrowed } from "../watch/borrowers.ts"

/** Warnings that follow when nobody gives a connection back. */
const ofFull = ["utilization", "queue", "wait", "failures"] as const

export const queueDeadlock: CauseEntry = {
  cause: "queueDeadlock",
  silences: [...ofFull, "leak"],
  find: (seen) => {
    const { newestHold, selfWaiting, stats } = seen
    if (stats.used < stats.limit || selfWaiting.callers < stats.used) return undefined
    const who = selfWaiting.labels.length === 0 ? "" : ` (${selfWaiting.labels.slice(0, 3).join(", ")})`
    return {
      ago: newestHold,
      isCritical: true,
      text:
        `${count(selfWaiting.callers, "caller waits", "callers wait")} for a second connection while they hold one, ` +
        `and all ${stats.limit} are held by such callers${who}: none of them can go on`,
      remedy: "Borrow once and pass the connection on, or give the inner work a pool of its own. " +
        "A larger maxConnections only moves the point at which it happens."
    }
  }
}

/** The share of the connections with which one label has nearly everything. */
const nearlyAll = 0.6

export const oneHolder: CauseEntry = {
  cause: "oneHolder",
  silences: [...ofFull, "leak"],
  find: (seen) => {
    const { at, config, holders, stats } = seen
    const [holder] = holders
    if (holder === undefined || stats.used < stats.limit || !isFelt(seen)) return undefined
    if (holder.connections < Math.ceil(nearlyAll * stats.limit) || holder.longest < config.slowAcquireTimeout) {
      return undefined
    }
    if (isUnusual(seen, holder) || (isAlone(seen, holder) && seen.newestHold < aloneFor(seen))) return undefined
    const who = named(holder.label)
    const overdue = holder.overdue === 0 ? "" : `, ${holder.overdue} of them past leakTimeout`
    return {
      ago: holder.longest,
      text:
        `${who} ${
          holder.label === undefined ? "hold" : "holds"
        } ${holder.connections} of ${stats.limit} connections, ` +
        `the longest for ${duration(holder.longest)}${overdue}, since ${timeOf(at - holder.longest)} UTC${
          place(holder)
        }; ${sufferers(seen)}`,
      remedy:
        `${
          holder.label === undefined ? "Label the leases to see whose they are. Run" : "Run"
        } fewer of them at once, let them hold a connection for a shorter time, or give them a pool of their own. ` +
        "A larger maxConnections gives them more to hold."
    }
  }
}

/** The statement that it runs, and where it was taken. */
const place = ({ activity, label, takenAt }: HolderGroup): string => {
  const taken = takenAt.filter((each) => each !== label).slice(0, 2)
  return (activity === undefined ? "" : `, running: ${activity}`) +
    (taken.length === 0 ? "" : `, taken at ${taken.join(", ")}`)
}

/** Nobody else has had a connection lately: then it is no culprit unless it holds on for longer than anybody waits. */
const isAlone = ({ borrowers }: Observation, { label }: HolderGroup): boolean =>
  borrowers.every((each) => each.label === label)

/** Where enough leases have ended, how long they take is known, and so whether the pool is too small for them. */
const aloneFor = ({ config, load }: Observation): number =>
  load.use.count < leasesToAdvise ? config.slowAcquireTimeout : Math.min(config.acquireTimeout, 10_000)

const leasesToKnow = 10

/** The mean of what leases of a label have taken, if enough have ended. */
const usualOf = ({ borrowers }: Observation, label: string | undefined): number | undefined => {
  const own = borrowers.filter((each) => each.label === label)
  const leases = own.reduce((sum, each) => sum + each.leases, 0)
  return leases < leasesToKnow ? undefined : own.reduce((sum, each) => sum + each.held, 0) / leases
}

/** Whether its leases are held for far longer than usual: then it is not they that have changed. */
const isUnusual = (seen: Observation, holder: HolderGroup): boolean => {
  const usual = usualOf(seen, holder.label)
  return usual !== undefined && holder.longest >= Math.max(seen.config.slowAcquireTimeout, 10 * usual)
}

export const backendSlow: CauseEntry = {
  cause: "backendSlow",
  silences: [...ofFull, "validation", "leak"],
  find: (seen) => isFelt(seen) ? stuck(seen) ?? slower(seen) : undefined
}

const remedyOfSlow = "Look at the backend and the way to it: its load, its locks, slow statements, the network. " +
  "More connections would give it more to do at once."

/** Leases that are usually short do not end. */
const stuck = (seen: Observation): ReturnType<CauseEntry["find"]> => {
  const { holders, stats } = seen
  const unusual = holders.filter((holder) => isUnusual(seen, holder))
  const connections = unusual.reduce((sum, holder) => sum + holder.connections, 0)
  const [first] = unusual
  if (first === undefined || stats.used < stats.limit || connections * 2 < stats.limit) return undefined
  const longest = unusual.reduce((longest, holder) => Math.max(longest, holder.longest), 0)
  return {
    ago: longest,
    text: `the backend answers slowly or not at all: ${named(first.label)} usually ${
      first.label === undefined ? "take" : "takes"
    } ${
      duration(usualOf(seen, first.label) ?? 0)
    }, and ${connections} of ${stats.limit} connections are held for up to ${duration(longest)}${
      first.activity === undefined ? "" : `, running: ${first.activity}`
    }${validations(seen)}; ${sufferers(seen)}`,
    remedy: remedyOfSlow
  }
}

/** Leases and validations take longer than they did. */
const slower = (seen: Observation): ReturnType<CauseEntry["find"]> => {
  const { load, stats } = seen
  const { usualUse, usualValidate, use, validate } = load
  const isUseSlower = use.count >= 20 && usualUse.count >= 100 && use.mean >= 3 * usualUse.mean
  const isRoundTripSlow = validate.count > 0 && use.count >= 20 && validate.mean >= 50 &&
    (usualValidate.count > 0 ? validate.mean >= 3 * usualValidate.mean : validate.mean >= use.mean / 2)
  if (!(isRoundTripSlow || (isUseSlower && dominant(seen) === undefined))) return undefined
  const usual = usualUse.count >= 100 ? `, usually ${duration(usualUse.mean)}` : ""
  return {
    ago: load.span,
    text: `the backend has become slow: leases take ${duration(use.mean)}${usual}${validations(seen)}; callers wait ${
      duration(stats.recent.wait.mean)
    } in the mean; ${sufferers(seen)}`,
    remedy: remedyOfSlow
  }
}

const validations = ({ load: { usualValidate, validate }, stats: { recent } }: Observation): string => {
  const failed = recent.failedToValidate === 0
    ? ""
    : `, ${recent.failedToValidate} of ${recent.validated} validations failed`
  if (validate.count === 0) return failed
  const usually = usualValidate.count === 0 ? "" : `, usually ${duration(usualValidate.mean)}`
  return `, validations take ${duration(validate.mean)}${usually}${failed}`
}

export const leak: CauseEntry = {
  cause: "leak",
  silences: ["leak", ...ofFull],
  find: (seen) => {
    const { at, config, holders, stats } = seen
    const holder = holders.filter(({ overdue }) => overdue > 0).toSorted((a, b) => b.overdue - a.overdue)[0]
    if (holder === undefined) return undefined
    const connections = holder.overdue === 1 ? "a connection" : `${holder.overdue} connections`
    const [run, it] = holder.label === undefined ? ["run", "them"] : ["runs", holder.overdue === 1 ? "it" : "them"]
    const idle = holder.activity === undefined ? ` and ${run} nothing on ${it}` : ""
    const felt = sufferers(seen)
    return {
      ago: Math.max(0, holder.longest - config.leakTimeout),
      text: `${named(holder.label)} ${
        holder.label === undefined ? "hold" : "holds"
      } ${connections} of ${stats.limit} for ${duration(holder.longest)}, since ${
        timeOf(at - holder.longest)
      } UTC, longer than leakTimeout (${duration(config.leakTimeout)})${idle}${place(holder)}${
        felt === "" ? "" : `; ${felt}`
      }`,
      remedy: "Give it back as soon as its work is done: borrow for single statements instead of whole requests, " +
        "and not while other services are called. isLongLived says that a lease is meant to last; reclaimTimeout takes it away."
    }
  }
}

/** The borrower whose leases take most of the connections' time, and far longer than those of others. */
interface Dominant {
  readonly label: string | undefined
  readonly statement: string | undefined
  readonly leases: number
  readonly mean: number
  readonly longest: number
  readonly share: number
  /** The mean of the others; `undefined` without any. */
  readonly others: number | undefined
}

const sum = (rows: ReadonlyArray<Borrowed>, of: "leases" | "held"): number =>
  rows.reduce((total, row) => total + row[of], 0)

const mean = (rows: ReadonlyArray<Borrowed>): number => sum(rows, "held") / Math.max(1, sum(rows, "leases"))

/** A mean from which on a lease is long whatever others take: ms. */
const long = 1000

const dominant = ({ borrowers }: Observation): Dominant | undefined => {
  const labels = Array.from(new Set(borrowers.map(({ label }) => label)))
  const all = sum(borrowers, "held")
  for (const label of labels) {
    const own = borrowers.filter((row) => row.label === label)
    const rest = borrowers.filter((row) => row.label !== label)
    const share = sum(own, "held") / Math.max(1, all)
    const isLong = rest.length === 0 ? mean(own) >= long : mean(own) >= 5 * mean(rest) && mean(own) >= 50
    if (share < 0.5 || !isLong) continue
    const worst = own.toSorted((a, b) => b.held - a.held)[0]!
    return {
      label,
      statement: worst.statement,
      leases: sum(own, "leases"),
      mean: mean(own),
      longest: own.reduce((longest, row) => Math.max(longest, row.longest), 0),
      share,
      others: rest.length === 0 ? undefined : mean(rest)
    }
  }
  return undefined
}

/** Several hold on, and nobody gives anything back. */
const outlasting = ({ config, holders, newestHold, stats, ...seen }: Observation): ReturnType<CauseEntry["find"]> => {
  const longest = holders.toSorted((a, b) => b.longest - a.longest).slice(0, 3)
  const who = longest.map(({ label, longest }) => `${named(label)} (${duration(longest)})`).join(", ")
  return {
    ago: newestHold,
    text: `all ${stats.limit} connections are held and none has come back for ${
      duration(newestHold)
    }, longest by ${who}; ${sufferers({ ...seen, config, holders, newestHold, stats })}`,
    remedy:
      "Let them hold a connection only while they use it, make what they run faster, or give them a pool of their own."
  }
}

export const leasesTooLong: CauseEntry = {
  cause: "leasesTooLong",
  silences: ofFull,
  find: (seen) => {
    const { load, stats } = seen
    if (!isFelt(seen) || stats.used < stats.limit) return undefined
    if (seen.newestHold >= aloneFor(seen)) return outlasting(seen)
    const found = dominant(seen)
    if (found === undefined) return undefined
    const others = found.others === undefined ? "" : `, where others take ${duration(found.others)}`
    const mostly = found.statement === undefined ? "" : `, mostly for: ${found.statement}`
    return {
      ago: Math.max(stats.oldestWaiter, areCallersFailing(seen) ? load.span : 0),
      text: `${named(found.label)} ${found.label === undefined ? "take" : "takes"} ${
        Math.round(100 * found.share)
      } % of the connections' time: ${count(found.leases, "lease")} in the last ${duration(load.span)}, ${
        duration(found.mean)
      } in the mean, ${duration(found.longest)} the longest${mostly}${others}; ${sufferers(seen)}`,
      remedy: "Let them hold a connection only while they use it, make what they run faster, or give them a pool of " +
        `their own. With ${round(stats.limit)} connections they make everybody wait.`
    }
  }
}

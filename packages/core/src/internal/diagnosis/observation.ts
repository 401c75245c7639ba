/**
 * The facts that a diagnosis is made from: the numbers of a pool and of the minutes before, all of one moment. Times
 * are milliseconds; those called `...Ago` count back from `at`.
 */
import type { PoolConfig } from "../model/config.ts"
import type { Vitals } from "../../PoolStats.ts"
import type { Refusal } from "../base/refusal.ts"
import type { Borrowed } from "../watch/borrowers.ts"
import type { RecentLoad } from "../watch/load.ts"

export interface Observation {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly config: PoolConfig
  readonly stats: Vitals
  readonly load: RecentLoad
  /** When a caller got no connection last; `Infinity` if that has never happened. */
  readonly callerFailedAgo: number
  /** The leases that hold a connection just now, by label: those with the most connections first. */
  readonly holders: ReadonlyArray<HolderGroup>
  /** How long the newest of these leases has its connection; 0 without any. */
  readonly newestHold: number
  /** Leases of the last minutes that have ended. */
  readonly borrowers: ReadonlyArray<Borrowed>
  /** Callers by `fairKey`, those of the keys that hold most first; one key is `undefined`, that of callers without any. */
  readonly keys: ReadonlyArray<KeyGroup>
  /** Callers that wait while they hold a connection already. */
  readonly selfWaiting: { readonly callers: number; readonly labels: ReadonlyArray<string> }
  /** The last dial, if it failed. */
  readonly lastDial: FailedDial | undefined
  /** The words of a server that said it is full, while the pool keeps to fewer connections for it. */
  readonly fullServer: { readonly said: string; readonly ago: number } | undefined
  /** The reason that the search for the size gives for the size it has; `undefined` without the option `sizing`. */
  readonly sizing: string | undefined
  /** How long the oldest dial under way has been without an answer. */
  readonly unansweredFor: number
  /** How long the breaker lets nobody dial yet; 0 where it is closed. */
  readonly breakerFor: number
  readonly outage: PastOutage | undefined
}

export interface HolderGroup {
  readonly label: string | undefined
  readonly connections: number
  /** How long the longest of its leases has its connection. */
  readonly longest: number
  /** The leases among them that are held for longer than `leakTimeout`. */
  readonly overdue: number
  /** Where the longest was taken, innermost first, as far as it is known. */
  readonly takenAt: ReadonlyArray<string>
  /** The statement that the connection of the longest runs just now. */
  readonly activity: string | undefined
}

export interface KeyGroup {
  readonly key: string | undefined
  /** Connections that its callers hold. */
  readonly used: number
  /** Callers that wait, as far as the line was looked through. */
  readonly pending: number
  /** How long the first of them has waited. */
  readonly oldest: number
}

export interface FailedDial {
  readonly ago: number
  /** Attempts in a row that failed. */
  readonly attempts: number
  /** The failure on one line. */
  readonly said: string
  readonly refusal: Refusal | undefined
}

export interface PastOutage {
  readonly beganAgo: number
  /** `undefined` while it lasts. */
  readonly endedAgo: number | undefined
  readonly attempts: number
  readonly said: string
  readonly wasTotal: boolean
  /** Callers that failed meanwhile. */
  readonly callers: number
}

/** Connections that callers may get, whatever these do just now. */
export const openOf = ({ stats }: Observation): number =>
  stats.idle + stats.used + stats.checking - (stats.outOfReach ?? 0)

/** A caller that failed so long ago says nothing of now, in milliseconds. */
const lately = 10_000

/** Those that failed in an outage that is over are told with it. */
export const areCallersFailing = ({ callerFailedAgo, outage }: Observation): boolean =>
  callerFailedAgo <= Math.min(lately, outage?.endedAgo ?? lately)

/** Whether a dial has been without an answer for so long that none is to be expected. */
export const isUnanswered = ({ config, unansweredFor }: Observation): boolean =>
  unansweredFor > Math.max(config.slowAcquireTimeout, 0.3 * config.connectTimeout)

/** Whether somebody is worse off by it: a caller waits or has just failed. */
export const isFelt = (seen: Observation): boolean => seen.stats.pending > 0 || areCallersFailing(seen)

/**
 * Whether callers can get a connection. A pool serves nobody while nothing is open and dials fail, and while all it may
 * open is lent, callers wait or fail, and nobody has been lent one for as long as a caller waits.
 */
export const isServing = (seen: Observation): boolean => {
  const { config, lastDial, newestHold, stats } = seen
  if (stats.state !== "open") return false
  if (openOf(seen) === 0) {
    // An empty pool that nobody asks does not dial: only who asks it can find out whether the backend is back.
    if (stats.minConnections === 0 && !isFelt(seen)) return true
    return lastDial === undefined && stats.breaker === "closed" && !isUnanswered(seen)
  }
  const isStuck = stats.used >= stats.limit && isFelt(seen) && newestHold >= Math.min(config.acquireTimeout, lately)
  return !isStuck
}

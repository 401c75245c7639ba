/**
 * Causes that dials tell of: what the server refuses, and whether it is there at all.
 */
import type { CauseEntry } from "./cause.ts"
import { areCallersFailing, isFelt, isUnanswered, type Observation, openOf } from "./observation.ts"
import { count, duration, timeOf } from "./words.ts"

/** Warnings that follow when nothing, or too little, can be opened. */
const ofDials = ["connect", "breaker", "failures", "validation", "utilization", "queue", "wait"] as const

const stillServing = (seen: Observation): string => {
  const open = openOf(seen)
  return open === 0
    ? "; no connection is open"
    : `; ${count(open, "open connection still serves", "open connections still serve")}`
}

/** A failure this long ago, while others serve, is no longer why anything happens: ms. */
const stale = 120_000

const attempts = (n: number): string => count(n, "attempt to connect", "attempts to connect")

const beganAgo = ({ lastDial, outage }: Observation): number => outage?.beganAgo ?? lastDial?.ago ?? 0

export const credentialsRefused: CauseEntry = {
  cause: "credentialsRefused",
  silences: ofDials,
  find: (seen) => {
    const { lastDial } = seen
    if (lastDial?.refusal !== "credentials" || (openOf(seen) > 0 && lastDial.ago > stale)) return undefined
    return {
      ago: beganAgo(seen),
      isCritical: openOf(seen) === 0,
      text: `the server refuses the credentials: ${lastDial.said}${stillServing(seen)}`,
      remedy: "Give the pool the credentials that are in force now. Where they rotate, give them as an effect: " +
        "it is evaluated anew for each dial."
    }
  }
}

export const serverFull: CauseEntry = {
  cause: "serverFull",
  silences: ofDials,
  find: (seen) => {
    const { lastDial, stats } = seen
    const isOfDial = lastDial?.refusal === "capacity" && (openOf(seen) === 0 || lastDial.ago <= stale)
    const said = isOfDial ? lastDial.said : seen.fullServer?.said
    if (said === undefined) return undefined
    return {
      ago: isOfDial ? beganAgo(seen) : seen.fullServer!.ago,
      isCritical: openOf(seen) === 0,
      text: `the server has no room for more connections: ${said}; ` +
        `${openOf(seen)} of at most ${stats.maxConnections} are open here`,
      remedy: "Lower maxConnections of the pools and instances that share the server until their sum fits, " +
        "or raise the server's own limit. A larger maxConnections does not help."
    }
  }
}

export const backendDown: CauseEntry = {
  cause: "backendDown",
  silences: ofDials,
  find: (seen) => {
    const { config, lastDial, stats } = seen
    if (openOf(seen) > 0 || (stats.minConnections === 0 && !isFelt(seen))) return undefined
    if (lastDial === undefined) return isUnanswered(seen) ? notAnswering(seen) : undefined
    // A dial under way may be the one that succeeds, unless callers have been waiting for too long already.
    const isHopeless = stats.opening === 0 || stats.oldestWaiter > config.slowAcquireTimeout
    return {
      ago: beganAgo(seen),
      isCritical: stats.breaker === "open" || areCallersFailing(seen) || (stats.pending > 0 && isHopeless),
      text: `the backend is down: no connection is open and ${attempts(lastDial.attempts)} failed within ` +
        `${duration(beganAgo(seen))}, the last with: ${lastDial.said}${nextDial(seen)}`,
      remedy:
        "Check that the backend is up and reachable at this address. The pool dials on by itself and needs no restart."
    }
  }
}

const nextDial = ({ breakerFor, stats }: Observation): string =>
  stats.breaker === "open" ? `; the breaker is open, the next attempt is made in ${duration(breakerFor)}` : ""

const notAnswering = (seen: Observation): ReturnType<CauseEntry["find"]> => ({
  ago: seen.unansweredFor,
  isCritical: isFelt(seen),
  text: `the backend does not answer: no connection is open and no attempt to connect has had an answer for ${
    duration(seen.unansweredFor)
  }`,
  remedy: "Check host and port, whether the backend hangs, and whether a firewall drops what is sent."
})

export const breakerOpen: CauseEntry = {
  cause: "breakerOpen",
  silences: ofDials,
  find: (seen) => {
    const { breakerFor, lastDial, stats } = seen
    if (stats.breaker !== "open") return undefined
    const why = lastDial === undefined
      ? "dials of others that share it failed"
      : `${attempts(lastDial.attempts)} failed, the last with: ${lastDial.said}`
    return {
      ago: beganAgo(seen),
      isCritical: openOf(seen) === 0,
      text: `the breaker around dials is open: ${why}; the next attempt is made in ${duration(breakerFor)}${
        stillServing(seen)
      }`,
      remedy: "Check that the backend is up and reachable. Dials resume by themselves."
    }
  }
}

export const dialsFail: CauseEntry = {
  cause: "dialsFail",
  silences: ofDials,
  find: (seen) => {
    const { lastDial, outage, stats } = seen
    if (lastDial === undefined || outage === undefined || outage.endedAgo !== undefined) return undefined
    if (lastDial.ago > stale || !isFelt(seen)) return undefined
    return {
      ago: beganAgo(seen),
      text: `${openOf(seen)} of at most ${stats.limit} connections are open and no further one can be opened: ${
        attempts(lastDial.attempts)
      } failed, the last with: ${lastDial.said}`,
      remedy: "Check what the backend refuses. The pool dials on by itself."
    }
  }
}

export const dialsSlow: CauseEntry = {
  cause: "dialsSlow",
  silences: ["queue", "wait", "failures"],
  find: (seen) => {
    const { config, stats, unansweredFor } = seen
    const isWaiting = stats.pending > 0 && stats.opening > 0 &&
      stats.used + stats.opening >= stats.total - stats.closing
    if (!isWaiting || stats.idle > 0 || stats.oldestWaiter <= config.slowAcquireTimeout) return undefined
    return {
      ago: stats.oldestWaiter,
      text: `${
        count(stats.pending, "caller waits", "callers wait")
      } for connections that are being opened, the first for ${duration(stats.oldestWaiter)}: ${
        count(stats.opening, "dial is", "dials are")
      } under way, the oldest for ${duration(unansweredFor)}`,
      remedy:
        "Raise minConnections, so that connections are open before they are needed, and connectRate if dials wait " +
        "for their turn; or find out why the backend takes so long to accept a connection."
    }
  }
}

export const backendWasDown: CauseEntry = {
  cause: "backendWasDown",
  silences: ["connect", "failures", "validation", "wait"],
  find: ({ at, load, outage }) => {
    if (outage?.endedAgo === undefined || outage.endedAgo > load.span) return undefined
    if (!outage.wasTotal && outage.callers === 0) return undefined
    const callers = outage.callers === 0 ? "no caller" : count(outage.callers, "caller")
    return {
      ago: outage.beganAgo,
      overAgo: outage.endedAgo,
      text: `the backend was down for ${duration(outage.beganAgo - outage.endedAgo)}, from ${
        timeOf(at - outage.beganAgo)
      } to ${timeOf(at - outage.endedAgo)} UTC: ${
        attempts(outage.attempts)
      } failed, the last with: ${outage.said}; ${callers} failed meanwhile`,
      remedy:
        "It is over and needs nothing more. Callers that must ride out such a time need a retry, or a longer acquireTimeout."
    }
  }
}

/**
 * The hint for an unknown option: the one that another pool calls so, or that was probably meant.
 */

/** Names that other pools have for options of ours, in small letters. */
export const elsewhere: Readonly<Record<string, string>> = {
  min: "minConnections",
  minimumidle: "minConnections",
  minsize: "minConnections",
  max: "maxConnections",
  connections: "maxConnections",
  connectionlimit: "maxConnections",
  maximumpoolsize: "maxConnections",
  maxsize: "maxConnections",
  poolsize: "maxConnections",
  size: "maxConnections",
  acquiretimeoutmillis: "acquireTimeout",
  connectiontimeout: "acquireTimeout",
  connectiontimeoutmillis: "acquireTimeout",
  createtimeoutmillis: "connectTimeout",
  idletimeoutmillis: "idleTimeout",
  softidletimeoutmillis: "idleTimeout",
  timetolive: "idleTimeout",
  maxlifetimeseconds: "maxLifetime",
  maxpending: "pendingLimit",
  maxqueue: "pendingLimit",
  maxwaitingclients: "pendingLimit",
  queuelimit: "pendingLimit",
  leakdetectionthreshold: "leakTimeout",
  testonborrow: "freshnessWindow",
  validationinterval: "freshnessWindow",
  validationtimeout: "validateTimeout"
}

/** The known option that differs in two letters at most, whatever the case of the others; the first of the nearest. */
const meant = (option: string, known: ReadonlyArray<string>): string | undefined => {
  // Two letters more or less make anything of a name as short as "ca".
  const tolerated = option.length < 4 ? 1 : 2
  let nearest: string | undefined
  let least = tolerated + 1
  for (const name of known) {
    if (Math.abs(name.length - option.length) > tolerated) continue
    const distance = distanceOf(option.toLowerCase(), name.toLowerCase())
    if (distance >= least) continue
    nearest = name
    least = distance
  }
  return nearest
}

/** To be said after the rule that it is no option. */
export const hint = (option: string, known: ReadonlyArray<string>): string => {
  const other = elsewhere[option.toLowerCase()]
  const name = other !== undefined && known.includes(other) ? other : meant(option, known)
  return name === undefined ? "" : ` (did you mean "${name}"?)`
}

/** How many letters must be added, left out or replaced to make one of the other (Levenshtein). */
const distanceOf = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < to.length; j++) {
      const replaced = row[j]! + (from[i] === to[j] ? 0 : 1)
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

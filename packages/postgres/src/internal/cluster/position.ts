/**
 * Places in the log of a primary's changes, and the tokens that carry them from one program to another.
 */

/** A place in the log. After a failover the log goes on in a new timeline. */
export interface Position {
  readonly timeline: number
  /** Bytes since the log began. */
  readonly lsn: number
}

/** A place in the log of one cluster: whoever reads there or later sees what was written before. */
export interface Token extends Position {
  readonly systemId: string
}

/** Reads PostgreSQL's notation, `16/B374D848`. */
export const lsnOf = (text: string): number => {
  const [high = "", low = ""] = text.split("/")
  return Number.parseInt(high, 16) * 0x1_0000_0000 + Number.parseInt(low, 16)
}

/**
 * The end of what was written. At the start of a page the server tells the place behind the page's header, which no
 * record fills yet: a replica that has everything stands before it.
 */
export const endOf = (lsn: number, segmentSize: number): number => {
  const onPage = lsn % pageSize
  if (onPage === shortHeader) return lsn - shortHeader
  return lsn % segmentSize === longHeader ? lsn - longHeader : lsn
}

const pageSize = 8192
const shortHeader = 24
const longHeader = 40

/** The later of two places. A timeline that began later is later as a whole. */
export const later = <P extends Position>(a: P, b: P): P =>
  a.timeline !== b.timeline ? (a.timeline > b.timeline ? a : b) : a.lsn >= b.lsn ? a : b

export const encode = ({ lsn, systemId, timeline }: Token): string =>
  `${systemId}.${timeline.toString(36)}.${lsn.toString(36)}`

/** `undefined` for whatever is no token. */
export const decode = (text: string): Token | undefined => {
  const [, systemId, timeline, lsn] = /^(\d{1,20})\.([0-9a-z]{1,7})\.([0-9a-z]{1,11})$/.exec(text) ?? []
  if (systemId === undefined) return undefined
  const token = { systemId, timeline: Number.parseInt(timeline!, 36), lsn: Number.parseInt(lsn!, 36) }
  return Number.isSafeInteger(token.lsn) ? token : undefined
}

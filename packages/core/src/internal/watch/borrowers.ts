/**
 * The borrowers of late: for each label, and each statement under it, how many leases, for how long in all and at the longest,
 * and how long others waited meanwhile. Two tables take turns, so that what is long over is forgotten.
 */

/** The leases of one label with one statement, of the last one to two minutes. Durations are in milliseconds. */
export interface Borrowed {
  /** `undefined` for leases without a label. */
  readonly label: string | undefined
  /** The statement that such a lease ran last; `undefined` for short leases, and where the connector tells none. */
  readonly statement: string | undefined
  /** Leases that have ended. */
  readonly leases: number
  /** For how long they held a connection, all of them together. */
  readonly held: number
  readonly longest: number
  /** For how long the first in line waited while they held their connections. */
  readonly waits: number
}

type Row = { -readonly [Field in keyof Borrowed]: Borrowed[Field] }

/** Labels and statements beyond these share one row: texts with values in them must not grow without end. */
const mostRows = 64

/** The label of that row. */
const others = "(others)"

class Table {
  readonly rows: Array<Row> = []
  private readonly byLabel = new Map<string | undefined, Map<string | undefined, Row>>()

  rowOf(label: string | undefined, statement: string | undefined): Row {
    const row = this.byLabel.get(label)?.get(statement)
    if (row !== undefined) return row
    return this.rows.length < mostRows || label === others ? this.add(label, statement) : this.rowOf(others, undefined)
  }

  add(label: string | undefined, statement: string | undefined): Row {
    const row: Row = { label, statement, leases: 0, held: 0, longest: 0, waits: 0 }
    let ofLabel = this.byLabel.get(label)
    if (ofLabel === undefined) this.byLabel.set(label, ofLabel = new Map())
    ofLabel.set(statement, row)
    this.rows.push(row)
    return row
  }
}

export class Borrowers {
  private newer = new Table()
  private older = new Table()
  private last: Row | undefined = undefined

  /** Counts a lease that has ended. Most often it is like the one before it, whose row is at hand. */
  ended(label: string | undefined, statement: string | undefined, held: number, waits: number): void {
    const { last } = this
    const row = last !== undefined && last.label === label && last.statement === statement
      ? last
      : this.last = this.newer.rowOf(label, statement)
    row.leases++
    row.held += held
    row.waits += waits
    if (held > row.longest) row.longest = held
  }

  /** Somebody has waited in vain while such a lease held a connection, and its connection was not the only one. */
  heldUp(label: string | undefined, statement: string | undefined, waited: number): void {
    this.newer.rowOf(label, statement).waits += waited
  }

  /** Forgets what was before the last turn. */
  turn(): void {
    this.older = this.newer
    this.newer = new Table()
    this.last = undefined
  }

  read(): ReadonlyArray<Borrowed> {
    const both = new Table()
    for (const { rows } of [this.older, this.newer]) {
      for (const row of rows) add(both.rowOf(row.label, row.statement), row)
    }
    return both.rows
  }
}

const add = (row: Row, more: Pick<Row, "leases" | "held" | "longest" | "waits">): void => {
  row.leases += more.leases
  row.held += more.held
  row.waits += more.waits
  if (more.longest > row.longest) row.longest = more.longest
}

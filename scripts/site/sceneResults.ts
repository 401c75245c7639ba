/** Tables of the scenes that a suite has played, from the record that it wrote. */

/** The measure of each scene, by its name. */
const texts: Readonly<Record<string, string>> = {
  "traffic/crowd": "Microseconds for each of a hundred waiters, and of a hundred thousand of ten thousand keys.",
  "traffic/exodus":
    "Milliseconds until ten thousand waiters have left, after the time of the last is up or it is interrupted.",
  "traffic/fairness": "One key that floods ten connections with a hundred callers, and nine others; leases of 10 ms.",
  "traffic/postgres":
    "Checkouts, pages and reports on a PostgreSQL of four connections, which halves its speed for a while.",
  "traffic/overload/2": "Twice the capacity asked for, by callers that give up after a second; leases of 100 ms.",
  "traffic/overload/4": "Four times the capacity asked for."
}

type Cells = ReadonlyMap<string, number>

/** The numbers of an outcome, by their names; lists are no cells. */
const cellsOf = (outcome: object, path: ReadonlyArray<string> = []): ReadonlyArray<readonly [string, number]> =>
  Object.entries(outcome).flatMap(([name, value]: [string, unknown]) => {
    const own = [...path, name]
    if (typeof value === "number") {
      return [[own.join(" ").replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`), value] as const]
    }
    return typeof value === "object" && value !== null && !Array.isArray(value) ? cellsOf(value, own) : []
  })

/** A row for each contender, or for each of its phases. */
const rowsOf = (record: object): ReadonlyArray<readonly [name: string, cells: Cells]> =>
  Object.entries(record).flatMap(([name, outcome]: [string, unknown]) => {
    if (typeof outcome !== "object" || outcome === null) return []
    if (!("before" in outcome)) return [[name, new Map(cellsOf(outcome))] as const]
    return Object.entries(outcome).flatMap(([phase, numbers]: [string, unknown]) =>
      typeof numbers === "object" && numbers !== null && !Array.isArray(numbers)
        ? [[`${name}, ${phase}`, new Map(cellsOf(numbers))] as const]
        : []
    )
  })

export const scenesOf = (
  scenes: Readonly<Record<string, object>>,
  table: (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>) => string,
  shown: (value: number) => string
): string =>
  Object.entries(scenes).map(([name, record]) => {
    const rows = rowsOf(record)
    const columns = [...new Set(rows.flatMap(([, cells]) => [...cells.keys()]))]
    const cellOf = (cells: Cells, column: string): string => {
      const value = cells.get(column)
      // A count has no parts.
      return value === undefined ? "" : Number.isInteger(value) ? shown(value).replace(/\.0+$/, "") : shown(value)
    }
    const body = rows.map(([row, cells]) => [row].concat(columns.map((column) => cellOf(cells, column))))
    return `### ${name}\n\n${texts[name] ?? ""}\n\n${table(["", ...columns], body)}`
  }).join("\n\n")

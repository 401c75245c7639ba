/** The connections of one pool or of all, read again and again while somebody looks. */
import type * as Api from "../../src/MonitoringApi.ts"
import { readConnections } from "./api.ts"
import { link } from "./link.ts"

export interface Row extends Api.Connection {
  readonly pool: string
  readonly key: string
  /** Tags in one text. */
  readonly tagged: string
  /** How long it has been in use or idle, ms. */
  readonly since: number
}

/** ms between two readings */
const interval = 1500
/** Readings at once. */
const parallel = 4

/** Calls `show` with all rows until it is stopped. */
export const watchConnections = (
  pools: ReadonlyArray<string>,
  show: (rows: ReadonlyArray<Row>) => void
): () => void => {
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const round = async (): Promise<void> => {
    if (!document.hidden && link.peek().is === "live") {
      const rows = await readAll(pools).catch(() => undefined)
      if (isOver) return
      if (rows !== undefined) show(rows)
    }
    timer = setTimeout(round, interval)
  }
  void round()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}

const readAll = async (pools: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const rows: Array<ReadonlyArray<Row>> = []
  for (let from = 0; from < pools.length; from += parallel) {
    const answers = await Promise.all(pools.slice(from, from + parallel).map(readConnections))
    rows.push(...answers.map(rowsOf))
  }
  return rows.flat()
}

const rowsOf = ({ connections, pool }: Api.Connections): ReadonlyArray<Row> =>
  connections.map((connection) => ({
    ...connection,
    pool,
    key: `${connection.id} ${pool}`,
    tagged: Object.entries(connection.tags).map(([name, value]) => `${name} ${value}`).join(" · "),
    since: connection.state === "used" || connection.state === "draining" ? connection.heldFor : connection.idleFor
  }))

export type SortKey = "pool" | "id" | "tagged" | "state" | "age" | "since" | "uses" | "errors" | "label" | "activity"

export interface Sort {
  readonly by: SortKey
  readonly isDescending: boolean
}

export const sorted = (rows: ReadonlyArray<Row>, { by, isDescending }: Sort): ReadonlyArray<Row> => {
  const sign = isDescending ? -1 : 1
  return rows.toSorted((a, b) => sign * compare(a[by], b[by]) || compare(a.pool, b.pool) || a.id - b.id)
}

const collator = new Intl.Collator("en", { numeric: true })

const compare = (a: string | number | null, b: string | number | null): number =>
  typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a ?? ""), String(b ?? ""))

export const matches = (row: Row, text: string): boolean =>
  `${row.pool} ${row.id} ${row.tagged} ${row.state} ${row.label ?? ""} ${row.activity ?? ""}`.toLowerCase().includes(
    text
  )

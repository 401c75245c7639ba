/** The rows of the table of connections, and the heads that sort them. */
import type { Signal } from "@preact/signals"
import type { VNode } from "preact"
import { useRef } from "preact/hooks"
import type { Row, Sort, SortKey } from "../connections.ts"
import { canAct, retire } from "../deeds.ts"
import { age, count, millis } from "../format.ts"
import { Gap } from "../parts/Gap.tsx"
import { PoolName } from "../parts/PoolName.tsx"
import { useRows } from "../parts/useRows.ts"
import { linkTo } from "../route.ts"

interface Props {
  readonly rows: ReadonlyArray<Row>
  readonly sort: Signal<Sort>
  readonly withPool: boolean
  readonly isRead: boolean
}

interface Column {
  readonly key: SortKey
  readonly title: string
  readonly isNumber?: boolean
  readonly look?: string
  /** Whether it is left out on a phone, where what matters is who holds what for how long. */
  readonly isMinor?: boolean
}

const columns: ReadonlyArray<Column> = [
  { key: "pool", title: "Pool", look: "pool" },
  { key: "id", title: "Id", isNumber: true, isMinor: true },
  { key: "tagged", title: "Backend", look: "backend", isMinor: true },
  { key: "state", title: "State", look: "state-column" },
  { key: "age", title: "Age", isNumber: true, isMinor: true },
  { key: "since", title: "For", isNumber: true },
  { key: "uses", title: "Uses", isNumber: true, isMinor: true },
  { key: "errors", title: "Errors", isNumber: true, isMinor: true },
  { key: "label", title: "Label", look: "label" },
  { key: "activity", title: "Statement" }
]

/** px, as in the style sheet */
const rowHeight = 32

export const ConnectionRows = ({ isRead, rows, sort, withPool }: Props): VNode => {
  const box = useRef<HTMLDivElement>(null)
  const { from, to } = useRows(box, rows.length, rowHeight)
  const shown = withPool ? columns : columns.slice(1)
  return (
    <div class="scroll tall" ref={box} tabIndex={0} role="region" aria-label="Table of connections">
      <table class="grid" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {shown.map((column) => <Head key={column.key} column={column} sort={sort} />)}
            {canAct.value && (
              <th scope="col" class="number">
                <span class="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          <Gap height={from * rowHeight} />
          {rows.slice(from, to).map((row, index) => (
            <Line key={row.key} row={row} index={from + index + 2} withPool={withPool} />
          ))}
          <Gap height={(rows.length - to) * rowHeight} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">{isRead ? "No connection." : "Reading …"}</p>}
    </div>
  )
}

interface HeadProps {
  readonly column: Column
  readonly sort: Signal<Sort>
}

const Head = ({ column: { isMinor, isNumber, key, look, title }, sort }: HeadProps): VNode => {
  const { by, isDescending } = sort.value
  const isBy = by === key
  return (
    <th
      scope="col"
      class={`${isNumber === true ? "number" : look ?? ""}${isMinor === true ? " minor" : ""}`}
      aria-sort={isBy ? (isDescending ? "descending" : "ascending") : "none"}
    >
      <button
        type="button"
        class="plain"
        onClick={() => sort.value = { by: key, isDescending: isBy ? !isDescending : isNumber === true && key !== "id" }}
      >
        {title}
        <span aria-hidden="true">{isBy ? (isDescending ? "▾" : "▴") : ""}</span>
      </button>
    </th>
  )
}

interface LineProps {
  readonly row: Row
  readonly index: number
  readonly withPool: boolean
}

const Line = ({ index, row, withPool }: LineProps): VNode => (
  <tr aria-rowindex={index} data-connection={row.id}>
    {withPool && (
      <td class="pool">
        <a href={linkTo({ view: "pool", name: row.pool })}>
          <PoolName name={row.pool} />
        </a>
      </td>
    )}
    <td class="number minor">{row.id}</td>
    <td class="code minor" title={row.tagged}>{row.tagged}</td>
    <td>
      <span class={`state ${row.state}`}>{row.state}</span>
    </td>
    <td class="number minor">{age(row.age)}</td>
    <td class="number">
      {row.state === "used" || row.state === "draining" || row.state === "idle" ? millis(row.since) : ""}
    </td>
    <td class="number minor">{count(row.uses)}</td>
    <td class={row.errors > 0 ? "number minor warn" : "number minor"}>{count(row.errors)}</td>
    <td class="label" title={row.label ?? undefined}>{row.label}</td>
    <td class="code wide" title={row.activity ?? undefined}>{row.activity}</td>
    {canAct.value && (
      <td>
        <button
          type="button"
          class="small"
          disabled={row.state === "closing" || row.state === "opening"}
          aria-label={`Retire connection ${row.id} of ${row.pool}`}
          onClick={() => retire(row.pool, row.id)}
        >
          Retire
        </button>
      </td>
    )}
  </tr>
)

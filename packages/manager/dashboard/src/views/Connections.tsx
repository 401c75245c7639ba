/** The table of connections, of one pool or of all. */
import { type Signal, useComputed, useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { matches, type Row, type Sort, sorted, watchConnections } from "../connections.ts"
import { count } from "../format.ts"
import { useVisible } from "../parts/useVisible.ts"
import { pools } from "../store.ts"
import { ConnectionRows } from "./ConnectionRows.tsx"

interface Props {
  /** Only those of this pool. */
  readonly pool?: string
}

const states = ["used", "draining", "idle", "checking", "opening", "closing"] as const

export const Connections = ({ pool }: Props): VNode => {
  const section = useRef<HTMLElement>(null)
  const rows = useConnections(pool, useVisible(section))
  const text = useSignal("")
  const state = useSignal("")
  const sort = useSignal<Sort>({ by: pool === undefined ? "pool" : "id", isDescending: false })
  const shown = useComputed(() => {
    const wanted = text.value.trim().toLowerCase()
    const matching = (rows.value ?? []).filter((row) =>
      (state.value === "" || row.state === state.value) && (wanted === "" || matches(row, wanted))
    )
    return sorted(matching, sort.value)
  })
  return (
    <section class="connections panel" aria-labelledby="connections-title" ref={section}>
      <div class="toolbar">
        <h2 id="connections-title">Connections</h2>
        <span class="badge" title="Connections shown">{count(shown.value.length)}</span>
        <span class="space" />
        <select
          aria-label="State of connections"
          value={state.value}
          onChange={(e) => state.value = e.currentTarget.value}
        >
          <option value="">Any state</option>
          {states.map((state) => <option key={state} value={state}>{state}</option>)}
        </select>
        <input
          type="search"
          aria-label="Find connections"
          placeholder="Id, pid, label, statement …"
          value={text.value}
          onInput={(e) => text.value = e.currentTarget.value}
        />
      </div>
      <ConnectionRows rows={shown.value} sort={sort} withPool={pool === undefined} isRead={rows.value !== undefined} />
    </section>
  )
}

/** The connections of one pool or of all, read as long as somebody sees them; `undefined` before the first time. */
const useConnections = (
  pool: string | undefined,
  isVisible: Signal<boolean>
): Signal<ReadonlyArray<Row> | undefined> => {
  const rows = useSignal<ReadonlyArray<Row> | undefined>(undefined)
  const names = pool === undefined ? pools.value.map(({ name }) => name) : [pool]
  useEffect(() => {
    if (!isVisible.value) return
    return watchConnections(names, (read) => {
      rows.value = read
    })
  }, [isVisible.value, names.join("\n")])
  return rows
}

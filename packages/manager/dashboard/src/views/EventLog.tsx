/** What happened, the latest first. */
import { type Signal, useComputed, useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { useRef } from "preact/hooks"
import { type Filter, makeFilter } from "../eventFilter.ts"
import { count, plural, time } from "../format.ts"
import { type Entry, log, logChanged } from "../log.ts"
import { Mark, toneOfLevel } from "../parts/StatusMark.tsx"
import { isNarrow } from "../parts/isNarrow.ts"
import { Gap } from "../parts/Gap.tsx"
import { useRows } from "../parts/useRows.ts"
import { EventDetail } from "./EventDetail.tsx"
import { EventFilters } from "./EventFilters.tsx"

interface Props {
  /** Only those of this pool. */
  readonly pool?: string
  /** With fewer filters, beside other things. */
  readonly isBrief?: boolean
}

/** px, as in the style sheet */
const rowHeights = { oneLine: 30, twoLines: 46 }

export const EventLog = ({ isBrief = false, pool }: Props): VNode => {
  const filter = useSignal<Filter>({ pool: "", kind: isBrief ? "notable" : "", text: "" })
  const pausedAt = useSignal<number | undefined>(undefined)
  const selected = useSignal<Entry | undefined>(undefined)
  const matching = useComputed(() => {
    void logChanged.value
    const until = pausedAt.value ?? Infinity
    const isWanted = makeFilter({ ...filter.value, ...(pool === undefined ? {} : { pool }) })
    return log.filter((entry) => entry.key <= until && isWanted(entry)).toReversed()
  })
  const newest = log.at(-1)?.key ?? 0
  const missed = pausedAt.value === undefined ? 0 : newest - pausedAt.value
  return (
    <section class="events panel" aria-labelledby="events-title">
      <div class="toolbar">
        <h2 id="events-title">Events</h2>
        <span class="badge" title="Events shown">{count(matching.value.length)}</span>
        <span class="space" />
        <button
          type="button"
          aria-pressed={pausedAt.value !== undefined}
          onClick={() => {
            pausedAt.value = pausedAt.value === undefined ? newest : undefined
          }}
        >
          {pausedAt.value === undefined ? "Hold" : missed === 0 ? "Go on" : `Go on (${plural(missed, "new", "new")})`}
        </button>
      </div>
      <EventFilters filter={filter} isBrief={isBrief} hasPool={pool === undefined} />
      <List
        entries={matching.value}
        selected={selected}
        pool={pool !== undefined ? "none" : isBrief || isNarrow.value ? "above" : "beside"}
      />
      {selected.value !== undefined && <EventDetail entry={selected.value} close={() => selected.value = undefined} />}
    </section>
  )
}

/** Where the name of the pool stands. */
type Place = "none" | "above" | "beside"

interface ListProps {
  readonly entries: ReadonlyArray<Entry>
  readonly selected: Signal<Entry | undefined>
  readonly pool: Place
}

const List = ({ entries, pool, selected }: ListProps): VNode => {
  const box = useRef<HTMLDivElement>(null)
  const rowHeight = pool === "above" ? rowHeights.twoLines : rowHeights.oneLine
  const { from, to } = useRows(box, entries.length, rowHeight)
  return (
    <div class="scroll" ref={box} tabIndex={0} role="region" aria-label="List of events">
      <table class={pool === "above" ? "log brief" : "log"} aria-rowcount={entries.length + 1}>
        <colgroup>
          <col class="time" />
          {pool === "beside" && <col class="pool" />}
          <col />
        </colgroup>
        <thead class="unseen">
          <tr>
            <th scope="col">Time</th>
            {pool === "beside" && <th scope="col">Pool</th>}
            <th scope="col">Event</th>
          </tr>
        </thead>
        <tbody>
          <Gap height={from * rowHeight} />
          {entries.slice(from, to).map((entry, index) => (
            <Row key={entry.key} entry={entry} index={from + index + 2} selected={selected} pool={pool} />
          ))}
          <Gap height={(entries.length - to) * rowHeight} />
        </tbody>
      </table>
      {entries.length === 0 && <p class="empty">{log.length === 0 ? "Nothing yet." : "No event matches."}</p>}
    </div>
  )
}

interface RowProps {
  readonly entry: Entry
  readonly index: number
  readonly selected: Signal<Entry | undefined>
  readonly pool: Place
}

const Row = ({ entry, index, pool, selected }: RowProps): VNode => {
  const { event, text: { level, text } } = entry
  const name = "pool" in event ? event.pool : ""
  return (
    <tr class={level} aria-rowindex={index}>
      <td class="time">{time(event.at)}</td>
      {pool === "beside" && <td class="pool">{name}</td>}
      <td class="what">
        <button type="button" class="plain" title={text} onClick={() => selected.value = entry}>
          <Mark tone={toneOfLevel(level)} />
          <span>
            {pool === "above" && <span class="pool-above">{name}</span>}
            {text}
          </span>
        </button>
      </td>
    </tr>
  )
}

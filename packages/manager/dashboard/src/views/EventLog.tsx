/** The events, the latest first. */
import { type Signal, useComputed, useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { useRef } from "preact/hooks"
import { type Filter, makeFilter } from "../eventFilter.ts"
import { type Group, grouped } from "../eventGroups.ts"
import { count, plural, time } from "../format.ts"
import { type Entry, log, logChanged } from "../log.ts"
import { Mark, toneOfLevel } from "../parts/StatusMark.tsx"
import { isNarrow } from "../parts/isNarrow.ts"
import { PoolName } from "../parts/PoolName.tsx"
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
  const isGrouped = useSignal(true)
  const matching = useComputed(() => {
    void logChanged.value
    const until = pausedAt.value ?? Infinity
    const isWanted = makeFilter({ ...filter.value, ...(pool === undefined ? {} : { pool }) })
    const entries = log.filter((entry) => entry.key <= until && isWanted(entry)).toReversed()
    return isGrouped.value ? grouped(entries) : entries.map((entry) => ({ entry, count: 1, since: entry.event.at }))
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
          aria-pressed={isGrouped.value}
          title="Events of the same cause in one row, with their number"
          onClick={() => {
            isGrouped.value = !isGrouped.value
          }}
        >
          Grouped
        </button>
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
        groups={matching.value}
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
  readonly groups: ReadonlyArray<Group>
  readonly selected: Signal<Entry | undefined>
  readonly pool: Place
}

const List = ({ groups, pool, selected }: ListProps): VNode => {
  const box = useRef<HTMLDivElement>(null)
  const rowHeight = pool === "above" ? rowHeights.twoLines : rowHeights.oneLine
  const { from, to } = useRows(box, groups.length, rowHeight)
  return (
    <div class="scroll" ref={box} tabIndex={0} role="region" aria-label="List of events">
      <table class={pool === "above" ? "log brief" : "log"} aria-rowcount={groups.length + 1}>
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
          {groups.slice(from, to).map((group, index) => (
            <Row key={group.entry.key} group={group} index={from + index + 2} selected={selected} pool={pool} />
          ))}
          <Gap height={(groups.length - to) * rowHeight} />
        </tbody>
      </table>
      {groups.length === 0 && <p class="empty">{log.length === 0 ? "Nothing yet." : "No event matches."}</p>}
    </div>
  )
}

interface RowProps {
  readonly group: Group
  readonly index: number
  readonly selected: Signal<Entry | undefined>
  readonly pool: Place
}

const Row = ({ group: { count: times, entry, since }, index, pool, selected }: RowProps): VNode => {
  const { event, text: { level, text } } = entry
  const name = "pool" in event ? event.pool : ""
  return (
    <tr class={level} aria-rowindex={index}>
      <td class="time">{time(event.at)}</td>
      {pool === "beside" && (
        <td class="pool">
          <PoolName name={name} />
        </td>
      )}
      <td class="what">
        <button type="button" class="plain" title={text} onClick={() => selected.value = entry}>
          <Mark tone={toneOfLevel(level)} />
          <span>
            {pool === "above" && (
              <span class="pool-above">
                <PoolName name={name} />
              </span>
            )}
            {times > 1 && (
              <b class="times" title={`The first at ${time(since)}`}>
                {count(times)}×
              </b>
            )}
            {text}
          </span>
        </button>
      </td>
    </tr>
  )
}

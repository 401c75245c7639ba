/** What happened, the latest first. */
import { type Signal, useComputed, useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { useRef } from "preact/hooks"
import { tags, wordsOf } from "../eventText.ts"
import { count, plural, time } from "../format.ts"
import { withLeases } from "../link.ts"
import { type Entry, log, logChanged } from "../log.ts"
import { Mark, toneOfLevel } from "../parts/StatusMark.tsx"
import { isNarrow } from "../parts/isNarrow.ts"
import { useRows } from "../parts/useRows.ts"
import { pools } from "../store.ts"
import { EventDetail } from "./EventDetail.tsx"

interface Props {
  /** Only those of this pool. */
  readonly pool?: string
  /** With fewer filters, beside other things. */
  readonly isBrief?: boolean
}

interface Filter {
  readonly pool: string
  readonly kind: string
  readonly text: string
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
      <Filters filter={filter} isBrief={isBrief} hasPool={pool === undefined} />
      <List
        entries={matching.value}
        selected={selected}
        pool={pool !== undefined ? "none" : isBrief || isNarrow.value ? "above" : "beside"}
      />
      {selected.value !== undefined && <EventDetail entry={selected.value} close={() => selected.value = undefined} />}
    </section>
  )
}

const makeFilter = ({ kind, pool, text }: Filter): (entry: Entry) => boolean => {
  const wanted = text.trim().toLowerCase()
  return (entry) => {
    const { event } = entry
    if (pool !== "" && "pool" in event && event.pool !== pool) return false
    if (kind === "problems" && !isProblem(entry)) return false
    if (kind === "notable" && (entry.text.level === "info" && routine.has(event._tag))) return false
    if (kind !== "" && kind !== "problems" && kind !== "notable" && event._tag !== kind) return false
    return wanted === "" || textOf(entry).includes(wanted)
  }
}

/** What happens all day in a pool that is well. */
const routine: ReadonlySet<string> = new Set(["Acquired", "Released", "Opened", "Retired", "Closed", "HealthChecked"])

const isProblem = ({ text: { level } }: Entry): boolean => level === "warning" || level === "bad"

const textOf = ({ event, text }: Entry): string =>
  `${"pool" in event ? event.pool : ""} ${wordsOf(event._tag)} ${text.text}`.toLowerCase()

interface FiltersProps {
  readonly filter: Signal<Filter>
  readonly isBrief: boolean
  readonly hasPool: boolean
}

const Filters = ({ filter, hasPool, isBrief }: FiltersProps): VNode => {
  const set = (change: Partial<Filter>): void => {
    filter.value = { ...filter.value, ...change }
  }
  return (
    <div class="filters">
      {hasPool && !isBrief && (
        <select
          aria-label="Events of pool"
          value={filter.value.pool}
          onChange={(e) => set({ pool: e.currentTarget.value })}
        >
          <option value="">All pools</option>
          {pools.value.map(({ name }) => <option key={name} value={name}>{name}</option>)}
        </select>
      )}
      <select
        aria-label="Kind of events"
        value={filter.value.kind}
        onChange={(e) => set({ kind: e.currentTarget.value })}
      >
        <option value="">All kinds</option>
        <option value="notable">All but routine</option>
        <option value="problems">Problems</option>
        {tags.map((tag) => <option key={tag} value={tag}>{wordsOf(tag)}</option>)}
      </select>
      <input
        type="search"
        aria-label="Find in events"
        placeholder="Find"
        value={filter.value.text}
        onInput={(e) => set({ text: e.currentTarget.value })}
      />
      {!isBrief && (
        <label class="check" title="There may be very many of them">
          <input
            type="checkbox"
            checked={withLeases.value}
            onChange={(e) => {
              withLeases.value = e.currentTarget.checked
            }}
          />
          Each lease
        </label>
      )}
    </div>
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
          {from > 0 && <tr class="gap" aria-hidden="true" style={{ height: `${from * rowHeight}px` }} />}
          {entries.slice(from, to).map((entry, index) => (
            <Row key={entry.key} entry={entry} index={from + index + 2} selected={selected} pool={pool} />
          ))}
          {to < entries.length && (
            <tr class="gap" aria-hidden="true" style={{ height: `${(entries.length - to) * rowHeight}px` }} />
          )}
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

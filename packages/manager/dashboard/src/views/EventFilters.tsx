/** Asks which events one wants to see. */
import type { Signal } from "@preact/signals"
import type { VNode } from "preact"
import type { Filter } from "../eventFilter.ts"
import { tags, wordsOf } from "../eventText.ts"
import { withLeases } from "../link.ts"
import { pools } from "../store.ts"

interface Props {
  readonly filter: Signal<Filter>
  readonly isBrief: boolean
  readonly hasPool: boolean
}

export const EventFilters = ({ filter, hasPool, isBrief }: Props): VNode => {
  const { kind, pool, text } = filter.value
  const set = (change: Partial<Filter>): void => {
    filter.value = { ...filter.value, ...change }
  }
  return (
    <div class="filters">
      {hasPool && !isBrief && (
        <select
          aria-label="Events of pool"
          value={pool}
          onChange={(e) => set({ pool: e.currentTarget.value })}
        >
          <option value="">All pools</option>
          {pools.value.map(({ name }) => <option key={name} value={name}>{name}</option>)}
        </select>
      )}
      <select aria-label="Kind of events" value={kind} onChange={(e) => set({ kind: e.currentTarget.value })}>
        <option value="">All kinds</option>
        <option value="notable">All but routine</option>
        <option value="problems">Problems</option>
        {tags.map((tag) => <option key={tag} value={tag}>{wordsOf(tag)}</option>)}
      </select>
      <input
        type="search"
        aria-label="Find in events"
        placeholder="Find"
        value={text}
        onInput={(e) => set({ text: e.currentTarget.value })}
      />
      {!isBrief && <EachLease />}
    </div>
  )
}

const EachLease = (): VNode => (
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
)

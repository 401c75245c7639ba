/** The cards of all pools, or of those one looks for. */
import { computed, signal } from "@preact/signals"
import type { VNode } from "preact"
import { plural } from "../format.ts"
import { RangePicker } from "../parts/RangePicker.tsx"
import { linkTo } from "../route.ts"
import { type PoolModel, pools } from "../store.ts"
import { PoolCard } from "./PoolCard.tsx"

type Order = "given" | "worst" | "busiest" | "name"

const text = signal("")
const order = signal<Order>("given")

const severity = { unhealthy: 0, degraded: 1, healthy: 2 } as const

const compare: Readonly<Record<Order, (a: PoolModel, b: PoolModel) => number>> = {
  given: () => 0,
  worst: (a, b) => severity[a.now.value.status] - severity[b.now.value.status] || compare.busiest(a, b),
  busiest: (a, b) => load(b) - load(a),
  name: (a, b) => a.name.localeCompare(b.name)
}

const load = ({ now }: PoolModel): number => (now.value.used + now.value.pending) / Math.max(1, now.value.limit)

const shown = computed(() => {
  const wanted = text.value.trim().toLowerCase()
  const matching = pools.value.filter(({ kind, name, now }) =>
    wanted === "" || `${name} ${kind} ${now.value.status} ${now.value.state}`.toLowerCase().includes(wanted)
  )
  return order.value === "given" ? matching : matching.toSorted(compare[order.value])
})

export const PoolGrid = (): VNode => (
  <section aria-labelledby="pools-title">
    <div class="toolbar">
      <h2 id="pools-title">{plural(pools.value.length, "pool", "pools")}</h2>
      <span class="space" />
      <RangePicker />
      <input
        type="search"
        aria-label="Find pools by name, kind or status"
        placeholder="Name, kind or status  ( / )"
        onKeyDown={({ key }) => {
          const [first] = shown.peek()
          if (key === "Enter" && first !== undefined) location.hash = linkTo({ view: "pool", name: first.name })
        }}
        value={text.value}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value
        }}
      />
      <select
        aria-label="Order of the pools"
        value={order.value}
        onChange={({ currentTarget }) => {
          order.value = currentTarget.value as Order
        }}
      >
        <option value="given">In the order given</option>
        <option value="worst">Worst first</option>
        <option value="busiest">Busiest first</option>
        <option value="name">By name</option>
      </select>
    </div>
    <div class="cards">
      {shown.value.map((pool) => <PoolCard key={pool.name} pool={pool} />)}
    </div>
    {shown.value.length === 0 && <p class="empty">No pool matches.</p>}
  </section>
)

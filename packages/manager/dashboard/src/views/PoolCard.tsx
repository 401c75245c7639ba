/** One pool of many. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { compact, count, millis, percent } from "../format.ts"
import { Actions } from "../parts/Actions.tsx"
import { ConnectionsChart, WaitChart } from "../parts/charts.tsx"
import { Fact } from "../parts/Fact.tsx"
import { LimitBar } from "../parts/LimitBar.tsx"
import { StateMark, StatusMark } from "../parts/StatusMark.tsx"
import { Warnings } from "../parts/Warnings.tsx"
import { linkTo } from "../route.ts"
import type { PoolModel } from "../store.ts"

export const PoolCard = ({ pool }: { readonly pool: PoolModel }): VNode => {
  const { kind, name, series } = pool
  const now = pool.now.value
  const { health, stats: { wait } } = pool.read.value
  return (
    <article class={`card panel ${now.status}`} data-pool={name} aria-label={name}>
      <header>
        <h3>
          <a href={linkTo({ view: "pool", name })}>{name}</a>
        </h3>
        <StatusMark status={now.status} />
        <span class="kind">{kind}</span>
        <StateMark state={now.state} />
      </header>
      <LimitBar {...now} label={`Used connections of ${name}`} />
      <dl class="facts lead">
        <Fact name="used">
          <Of part={now.used} whole={now.limit} />
        </Fact>
        <Fact name="idle">{count(now.idle)}</Fact>
        <Fact name="pending" tone={now.pending > 0 ? "warn" : undefined}>{count(now.pending)}</Fact>
        <Fact name="wait p95" hint="Since the start">{millis(wait.p95)}</Fact>
        <Fact name="breaker" tone={now.breaker === "open" ? "bad" : undefined}>{now.breaker}</Fact>
      </dl>
      {/* Above what comes and goes: a button must not move from under a pointer. */}
      <Actions pool={pool} />
      <Warnings warnings={health.warnings} />
      <ConnectionsChart series={series} height={84} />
      <WaitChart series={series} height={70} />
      <Totals {...pool.read.value} />
    </article>
  )
}

/** The counts since the start. */
const Totals = ({ health, stats: { counts } }: Api.Pool): VNode => (
  <dl class="facts small">
    <Fact name="leases">{compact(counts.acquiredAtOnce + counts.acquiredAfterWaiting)}</Fact>
    <Fact name="waited" hint="Leases that had to wait">{compact(counts.acquiredAfterWaiting)}</Fact>
    <Fact name="timed out" tone={counts.timedOut > 0 ? "warn" : undefined}>{compact(counts.timedOut)}</Fact>
    <Fact name="refused" tone={counts.refused > 0 ? "warn" : undefined}>{compact(counts.refused)}</Fact>
    <Fact name="retired">{compact(Object.values(counts.retired).reduce((sum, n) => sum + n, 0))}</Fact>
    <Fact name="opened">{compact(counts.opened)}</Fact>
    <Fact name="dials failed" tone={counts.failedToOpen > 0 ? "warn" : undefined}>{compact(counts.failedToOpen)}</Fact>
    <Fact name="failed" hint="Share of failed acquisitions and dials in the last one to two minutes">
      {percent(health.errorRate)}
    </Fact>
  </dl>
)

const Of = ({ part, whole }: { readonly part: number; readonly whole: number }): VNode => (
  <>
    {count(part)}
    <small>/{count(whole)}</small>
  </>
)

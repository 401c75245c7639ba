/** All pools at a glance. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { Fact } from "../parts/Fact.tsx"
import { LimitBar } from "../parts/LimitBar.tsx"
import { Mark, StatusMark, toneOf } from "../parts/StatusMark.tsx"
import { ConnectionsChart } from "../parts/charts.tsx"
import { compact, count, millis, percent, rate } from "../format.ts"
import { fleet, fleetHappenings, fleetRates, fleetSeries } from "../store.ts"

export const Fleet = (): VNode | null => {
  const now = fleet.value
  if (now === undefined) return null
  return (
    <section class="fleet panel" aria-labelledby="fleet-title">
      <h2 id="fleet-title" class="unseen">Fleet</h2>
      <Verdict now={now} />
      <Sums now={now} />
      <ConnectionsChart series={fleetSeries} height={108} happenings={fleetHappenings} />
    </section>
  )
}

interface Props {
  readonly now: Api.Fleet
}

const Verdict = ({ now: { pools, score, status } }: Props): VNode => (
  <div class="verdict">
    <StatusMark status={status} />
    <p class="score">
      <b>{score}</b>
      <span>of 100</span>
    </p>
    <ul class="tally" aria-label="Pools by status">
      {(["healthy", "degraded", "unhealthy"] as const).map((status) => (
        <li key={status} class={pools[status] > 0 ? toneOf(status) : "none"}>
          <Mark tone={toneOf(status)} />
          {count(pools[status])} {status}
        </li>
      ))}
    </ul>
  </div>
)

const Sums = ({ now }: Props): VNode => {
  const rates = fleetRates.value
  return (
    <div class="sums">
      <p class="lent">
        <b>{count(now.used)}</b> of {count(now.limit)} used
        <span>{percent(now.utilization / 100)}</span>
      </p>
      <LimitBar {...now} label="Used connections of all pools" />
      <dl class="facts">
        <Fact name="idle">{count(now.idle)}</Fact>
        <Fact name="pending" tone={now.pending > 0 ? "warn" : undefined}>{count(now.pending)}</Fact>
        <Fact name="leases/s">{rates === undefined ? "–" : rate(rates.acquired)}</Fact>
        <Fact
          name="failed now"
          hint="Share of failed acquisitions and dials since the sample before"
          tone={rates !== undefined && rates.failureRate > 0.05 ? "bad" : undefined}
        >
          {rates === undefined ? "–" : percent(rates.failureRate)}
        </Fact>
        <Fact name="failed" hint="Share of failed acquisitions, dials and operations in the last one to two minutes">
          {percent(now.errorRate)}
        </Fact>
        <Fact name="mean wait" hint="Over the leases of the last one to two minutes">{millis(now.avgWaitTime)}</Fact>
        <Fact name="mean query" hint="Statements, commands, requests and messages of the last one to two minutes">
          {millis(now.avgQueryTime)}
        </Fact>
        <Fact name="leases" hint="Since the start">{compact(now.acquired)}</Fact>
      </dl>
    </div>
  )
}

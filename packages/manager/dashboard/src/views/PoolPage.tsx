/** All about one pool. */
import type { VNode } from "preact"
import { Actions } from "../parts/Actions.tsx"
import { ConnectionsChart, FailureChart, RateChart, WaitChart } from "../parts/charts.tsx"
import { Fact } from "../parts/Fact.tsx"
import { LimitBar } from "../parts/LimitBar.tsx"
import { RangePicker } from "../parts/RangePicker.tsx"
import { StateMark, StatusMark } from "../parts/StatusMark.tsx"
import { Warnings } from "../parts/Warnings.tsx"
import { count, millis, rate } from "../format.ts"
import { linkTo } from "../route.ts"
import { instance, type PoolModel, poolNamed, pools } from "../store.ts"
import { Alerts } from "./Alerts.tsx"
import { Connections } from "./Connections.tsx"
import { BorrowersTable } from "./Borrowers.tsx"
import { Diagnoses } from "./Diagnoses.tsx"
import { EventLog } from "./EventLog.tsx"
import { BudgetTable } from "./BudgetTable.tsx"
import { MembersTable } from "./MembersTable.tsx"
import { SizingTable } from "./SizingTable.tsx"
import { KeysTable, PrioritiesTable } from "./PoolTraffic.tsx"
import { ConfigTable, CountsTable, RetiredTable, SlowestTable, TimingsTable } from "./PoolTables.tsx"

export const PoolPage = ({ name }: { readonly name: string }): VNode => {
  const pool = poolNamed(name)
  return (
    <>
      <nav class="crumbs" aria-label="Way back">
        <a href={linkTo({ view: "pools" })}>← All pools</a>
      </nav>
      {pool !== undefined
        // A new program has new pools: nothing of the old one's may stay.
        ? <Page key={`${instance.value} ${name}`} pool={pool} />
        : pools.value.length > 0 && <p class="empty panel">There is no pool called “{name}”.</p>}
    </>
  )
}

interface Props {
  readonly pool: PoolModel
}

const Page = ({ pool }: Props): VNode => {
  const { kind, name } = pool
  const { state, status } = pool.now.value
  const { config, stats } = pool.read.value
  return (
    <div class="page">
      <header class="title">
        <h1>{name}</h1>
        <span class="kind">{kind}</span>
        <StateMark state={state} />
        <StatusMark status={status} />
        <span class="space" />
        <RangePicker />
        <Actions pool={pool} />
      </header>
      <Now pool={pool} />
      <Diagnoses pool={name} />
      <MembersTable stats={stats} />
      <SizingTable stats={stats} />
      <BudgetTable stats={stats} />
      <Charts pool={pool} />
      <BorrowersTable borrowers={stats.borrowers} />
      <Connections pool={name} />
      <div class="tables">
        <PrioritiesTable stats={stats} />
        <KeysTable stats={stats} />
        <TimingsTable stats={stats} />
        <SlowestTable stats={stats} />
        <CountsTable stats={stats} />
        <RetiredTable stats={stats} />
        <ConfigTable config={config} />
      </div>
      <div class="pair">
        <Alerts pool={name} cleared={10} />
        <EventLog pool={name} isBrief />
      </div>
    </div>
  )
}

const Now = ({ pool }: Props): VNode => {
  const now = pool.now.value
  const sample = pool.sample.value
  const { health, stats } = pool.read.value
  return (
    <section class="panel" aria-label="Now">
      <LimitBar {...now} label={`Used connections of ${pool.name}`} />
      <dl class="facts lead">
        <Fact name="used">
          {count(now.used)}
          <small>/{count(now.limit)}</small>
        </Fact>
        {stats.limitedBy !== "maxConnections" && <Fact name="limited by">{stats.limitedBy}</Fact>}
        <Fact name="idle">{count(now.idle)}</Fact>
        <Fact name="pending" tone={now.pending > 0 ? "warn" : undefined}>{count(now.pending)}</Fact>
        <Fact name="opening">{count(now.opening)}</Fact>
        <Fact name="closing">{count(stats.closing)}</Fact>
        <Fact name="oldest waiter">{millis(stats.oldestWaiter)}</Fact>
        <Fact name="leases/s">{sample === undefined ? "–" : rate(sample.acquireRate)}</Fact>
        <Fact name="breaker" tone={now.breaker === "open" ? "bad" : undefined}>{now.breaker}</Fact>
        {stats.traffic.level > 0 && <Fact name="degradation" tone="warn">{stats.traffic.level}</Fact>}
        <Fact name="score">{health.score}</Fact>
      </dl>
      <Warnings warnings={health.warnings.filter(({ about }) => about !== health.diagnosis?.cause)} />
    </section>
  )
}

const Charts = ({ pool: { series } }: Props): VNode => (
  <section class="charts" aria-label="The last minutes">
    <div class="panel">
      <ConnectionsChart series={series} height={190} />
    </div>
    <div class="panel">
      <WaitChart series={series} height={190} />
    </div>
    <div class="panel">
      <RateChart series={series} height={130} />
    </div>
    <div class="panel">
      <FailureChart series={series} height={130} />
    </div>
  </section>
)

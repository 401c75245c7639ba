/** The alerts, with their remedies. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { age, time } from "../format.ts"
import { PoolName } from "../parts/PoolName.tsx"
import { Mark, toneOfLevel } from "../parts/StatusMark.tsx"
import { linkTo } from "../route.ts"
import { clearedAlerts, currentAlerts, serverNow } from "../store.ts"

interface Props {
  /** Only those of this pool. */
  readonly pool?: string
  /** How many of those that are over are shown. */
  readonly cleared: number
}

export const Alerts = ({ cleared, pool }: Props): VNode => {
  const isWanted = (alert: Api.Alert): boolean => pool === undefined || alert.pool === pool
  const current = currentAlerts.value.filter(isWanted)
  const past = clearedAlerts.value.filter(isWanted).slice(0, cleared)
  return (
    <section class="alerts panel" aria-labelledby="alerts-title">
      <h2 id="alerts-title">
        Alerts <span class="badge">{current.length}</span>
      </h2>
      {current.length === 0
        ? (
          <p class="quiet">
            <Mark tone="ok" />Nothing needs attention.
          </p>
        )
        : <ul>{current.map((alert) => <Current key={alert.id} alert={alert} />)}</ul>}
      {past.length > 0 && (
        <>
          <h3>Cleared lately</h3>
          <ul class="past">{past.map((alert) => <Past key={alert.id} alert={alert} />)}</ul>
        </>
      )}
    </section>
  )
}

const PoolLink = ({ name }: { readonly name: string }): VNode => (
  <a href={linkTo({ view: "pool", name })}>
    <PoolName name={name} />
  </a>
)

const Current = ({ alert }: { readonly alert: Api.Alert }): VNode => (
  <li class={alert.level === "critical" ? "bad" : "warn"} data-alert={alert.id}>
    <Mark tone={toneOfLevel(alert.level)} />
    <div>
      <p class="where">
        <b>{alert.level}</b> <PoolLink name={alert.pool} />
        <time dateTime={new Date(alert.since).toISOString()} title={`Raised ${time(alert.raisedAt)}`}>
          since {time(alert.since)}, for {age(serverNow.value - alert.since)}
        </time>
      </p>
      <strong>{alert.message}</strong>
      <p>{alert.recommendation}</p>
    </div>
  </li>
)

const Past = ({ alert }: { readonly alert: Api.Alert }): VNode => (
  <li data-alert={alert.id}>
    <Mark tone="ok" />
    <div>
      <p class="where">
        <PoolLink name={alert.pool} />
        <span>lasted {age((alert.clearedAt ?? alert.raisedAt) - alert.raisedAt)}</span>
        <time>{age(serverNow.value - (alert.clearedAt ?? alert.raisedAt))} ago</time>
      </p>
      <p>{alert.message}</p>
    </div>
  </li>
)

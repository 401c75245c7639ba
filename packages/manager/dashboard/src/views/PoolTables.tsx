/** The numbers of a pool since it was made, and its options. */
import type { ComponentChildren, VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { wordsOf } from "../eventText.ts"
import { count, millis, percent } from "../format.ts"

interface Props {
  readonly stats: Api.Stats
}

const timings = [["wait", "for a connection"], ["use", "by borrowers"], ["open", "dials"], ["validate", "checks"], [
  "lifetime",
  "of closed ones"
], ["operations", "on connections"]] as const

export const TimingsTable = ({ stats }: Props): VNode => (
  <section class="panel timings" aria-labelledby="timings-title">
    <h2 id="timings-title">Timings</h2>
    <div class="sideways" tabIndex={0} role="region" aria-labelledby="timings-title">
      <table class="plain-table">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">What</span>
            </th>
            {["mean", "p50", "p95", "p99", "max", "count"].map((head) => (
              <th key={head} scope="col" class="number">{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {timings.map(([key, what]) => {
            const { count: n, max, mean, p50, p95, p99 } = key === "operations" ? stats.operations.time : stats[key]
            return (
              <tr key={key}>
                <th scope="row">
                  {key} <small>{what}</small>
                </th>
                {[mean, p50, p95, p99, max].map((value, index) => (
                  <td key={index} class="number">{n === 0 ? "–" : millis(value)}</td>
                ))}
                <td class="number">{count(n)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  </section>
)

/** The slowest statements, commands, requests and messages of the last ten minutes. */
export const SlowestTable = ({ stats: { operations: { slowest } } }: Props): VNode | null =>
  slowest.length === 0 ? null : (
    <section class="panel slowest" aria-labelledby="slowest-title">
      <h2 id="slowest-title">Slowest</h2>
      <div class="sideways" tabIndex={0} role="region" aria-labelledby="slowest-title">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">kind</th>
              <th scope="col">what</th>
              <th scope="col">end</th>
              <th scope="col" class="number">took</th>
            </tr>
          </thead>
          <tbody>
            {slowest.map(({ end, kind, text, took }) => (
              <tr key={`${kind} ${text}`}>
                <td>{kind}</td>
                <td class="code wide" title={text ?? undefined}>{text}</td>
                <td class={end === "failed" ? "warn" : undefined}>{end}</td>
                <td class="number">{millis(took)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )

export const CountsTable = ({ stats: { counts } }: Props): VNode => {
  const { ended, operations, retired: _, ...flat } = counts
  return (
    <section class="panel" aria-labelledby="counts-title">
      <h2 id="counts-title">Counts</h2>
      <dl class="pairs">
        {Object.entries(flat).map(([name, n]) => <Pair key={name} name={wordsOf(name)}>{count(n)}</Pair>)}
        {Object.entries(ended).map(([end, n]) => <Pair key={end} name={`ended in ${end}`}>{count(n)}</Pair>)}
        {Object.entries(operations).map(([end, n]) => (
          <Pair key={`operations ${end}`} name={`operations ${end}`}>{count(n)}</Pair>
        ))}
      </dl>
    </section>
  )
}

export const RetiredTable = ({ stats: { counts: { retired } } }: Props): VNode => {
  const most = Math.max(1, ...Object.values(retired))
  return (
    <section class="panel" aria-labelledby="retired-title">
      <h2 id="retired-title">Retired because</h2>
      <dl class="pairs bars">
        {Object.entries(retired).map(([reason, n]) => (
          <Pair key={reason} name={reason}>
            <i style={{ width: `${n / most * 100}%` }} aria-hidden="true" />
            <span>{count(n)}</span>
          </Pair>
        ))}
      </dl>
    </section>
  )
}

/** Those that are not durations. */
const numbers: ReadonlySet<string> = new Set([
  "minConnections",
  "maxConnections",
  "maxUses",
  "pendingLimit",
  "connectRate",
  "eventBuffer"
])

export const ConfigTable = ({ config: { breaker, sizing, ...config } }: { readonly config: Api.Config }): VNode => (
  <section class="panel" aria-labelledby="config-title">
    <h2 id="config-title">Options in force</h2>
    <dl class="pairs code">
      {Object.entries(config).map(([name, value]) => <Pair key={name} name={name}>{optionText(name, value)}</Pair>)}
      <Pair name="breaker.failureRate">{percent(breaker.failureRate)}</Pair>
      <Pair name="breaker.minimumDials">{count(breaker.minimumDials)}</Pair>
      <Pair name="breaker.openDuration">{millis(breaker.openDuration)}</Pair>
      <Pair name="sizing.mode">{sizing.mode}</Pair>
      {sizing.mode === "off" ? null : (
        <>
          <Pair name="sizing.min">{count(sizing.min)}</Pair>
          <Pair name="sizing.max">{count(sizing.max)}</Pair>
          <Pair name="sizing.start">{count(sizing.start)}</Pair>
        </>
      )}
    </dl>
  </section>
)

const optionText = (name: string, value: number | string | boolean | null): string => {
  if (value === null) return "no limit"
  if (typeof value !== "number") return String(value)
  if (name === "maxLifetimeJitter") return percent(value)
  return numbers.has(name) ? count(value) : millis(value)
}

const Pair = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }): VNode => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

/** The callers that wait, by priority and key, and those that are refused and why. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { count, percent } from "../format.ts"

interface Props {
  readonly stats: Api.Stats
}

const priorities = ["high", "normal", "low"] as const

/** Why callers of a priority are refused. */
const because = (level: number, refused: number, priority: (typeof priorities)[number]): string => {
  if (refused === 0) return ""
  return level >= (priority === "low" ? 1 : 4) ? `level ${level} of degradation` : "callers wait too long"
}

/** Nothing where nobody says anything of itself: all callers are normal and nobody is refused. */
export const PrioritiesTable = ({ stats: { traffic } }: Props): VNode | null => {
  const { level, pending, refused } = traffic
  const isUsed = level > 0 || pending.high + pending.low > 0 || priorities.some((priority) => refused[priority] > 0)
  return !isUsed ? null : (
    <section class="panel priorities" aria-labelledby="priorities-title">
      <h2 id="priorities-title">Waiting by priority</h2>
      <table class="plain-table">
        <thead>
          <tr>
            <th scope="col">priority</th>
            <th scope="col" class="number">pending</th>
            <th scope="col" class="number">refused</th>
            <th scope="col">because</th>
          </tr>
        </thead>
        <tbody>
          {priorities.map((priority) => (
            <tr key={priority}>
              <th scope="row">{priority}</th>
              <td class="number">{count(pending[priority])}</td>
              <td class={refused[priority] > 0 ? "number warn" : "number"}>{percent(refused[priority])}</td>
              <td>{because(level, refused[priority], priority)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** The busiest keys, where callers have keys. */
export const KeysTable = ({ stats: { traffic: { keys } } }: Props): VNode | null =>
  keys.every(({ key }) => key === null) ? null : (
    <section class="panel keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Busiest keys</h2>
      <div class="sideways" tabIndex={0} role="region" aria-labelledby="keys-title">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">key</th>
              <th scope="col" class="number">pending</th>
              <th scope="col" class="number">used</th>
            </tr>
          </thead>
          <tbody>
            {keys.map(({ key, pending, used }) => (
              <tr key={key}>
                <th scope="row">{key ?? <small>none</small>}</th>
                <td class="number">{count(pending)}</td>
                <td class="number">{count(used)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )

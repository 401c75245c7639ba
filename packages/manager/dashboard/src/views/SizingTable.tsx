/** How many connections a pool found to help, and why its limit moved. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { count, rate, time } from "../format.ts"

interface Props {
  readonly stats: Api.Stats
}

/** Shown for a pool that finds its size by itself, or is advised on it. The last moves come first. */
export const SizingTable = ({ stats: { limit, limitedBy, maxConnections, sizing } }: Props): VNode | null =>
  sizing === undefined ? null : (
    <section class="panel timings" aria-labelledby="sizing-title">
      <h2 id="sizing-title">Size</h2>
      <p>
        <b>{count(limit)}</b> of {count(maxConnections)} connections, by {limitedBy}; sizing
        {sizing.mode === "advise" ? " (advice only)" : ""}: {sizing.why}
      </p>
      <div class="sideways" tabIndex={0} role="region" aria-labelledby="sizing-title">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col" class="number">size</th>
              <th scope="col" class="number">leases/s</th>
              <th scope="col">measured</th>
            </tr>
          </thead>
          <tbody>
            {sizing.tried.map(({ at, rate: perSecond, size }) => (
              <tr key={size}>
                <th scope="row" class="number">{count(size)}</th>
                <td class="number">{rate(perSecond)}</td>
                <td>{time(at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ol class="moves" reversed>
        {sizing.moves.toReversed().map(({ at, from, to, why }) => (
          <li key={`${at} ${to}`}>
            {time(at)} {count(from)} → {count(to)}: {why}
          </li>
        ))}
      </ol>
    </section>
  )

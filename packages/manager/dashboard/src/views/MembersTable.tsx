/** The pools that a pool is made of. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { count, millis, plural, time } from "../format.ts"

interface Props {
  readonly stats: Api.Stats
}

const leads = ({ before, changes, name, since, timeline }: Api.Primary): string =>
  `${name === null ? "No server takes writes" : `${name} takes the writes`} since ${time(since)}, in timeline ${
    count(timeline)
  }${before === null ? "" : `; before it was ${before}`} (${plural(changes, "change", "changes")}).`

/** The servers of a cluster, or the upstreams of a balanced pool. */
export const MembersTable = ({ stats: { members = [], primary } }: Props): VNode | null =>
  members.length === 0 ? null : (
    <section class="panel timings" aria-labelledby="members-title">
      <h2 id="members-title">Members</h2>
      <div class="sideways" tabIndex={0} role="region" aria-labelledby="members-title">
        <table class="plain-table">
          <thead>
            <tr>
              {["name", "role", "state"].map((head) => <th key={head} scope="col">{head}</th>)}
              {["lag", "used", "idle", "pending"].map((head) => <th key={head} scope="col" class="number">{head}</th>)}
            </tr>
          </thead>
          <tbody>
            {members.map(({ idle, lag, limit, name, pending, role, state, used }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{role ?? "–"}</td>
                <td>{state}</td>
                <td class="number">{lag === null ? "–" : millis(lag)}</td>
                <td class="number">
                  {count(used)}
                  <small>/{count(limit)}</small>
                </td>
                <td class="number">{count(idle)}</td>
                <td class="number">{count(pending)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {primary === undefined ? null : <p class="note">{leads(primary)}</p>}
    </section>
  )

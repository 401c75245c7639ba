/** The budget of connections that a pool shares, and with whom. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { count } from "../format.ts"

interface Props {
  readonly stats: Api.Stats
}

/** Names need not differ: processes may call themselves as they like. */
export const BudgetTable = ({ stats: { budget } }: Props): VNode | null =>
  budget === undefined ? null : (
    <section class="panel timings" aria-labelledby="budget-title">
      <h2 id="budget-title">{`Budget ${budget.name}`}</h2>
      <p>
        {`${count(budget.grant)} of ${count(budget.total)} connections are this pool's, which could use ${
          count(budget.wants)
        }; others hold ${count(budget.othersHold)}.`}
        {budget.store === "away" ? " The store that processes share it by does not answer." : ""}
      </p>
      <div class="sideways" tabIndex={0} role="region" aria-labelledby="budget-title">
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">{budget.store === "own" ? "pool" : "process"}</th>
              {["grant", "wants"].map((head) => <th key={head} scope="col" class="number">{head}</th>)}
            </tr>
          </thead>
          <tbody>
            {budget.members.map(({ grant, isSelf, name, wants }, at) => (
              <tr key={at}>
                <th scope="row">{isSelf ? `${name} (this one)` : name}</th>
                <td class="number">{count(grant)}</td>
                <td class="number">{count(wants)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )

/** The borrowers that hold the connections, and those that take most of their time. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { count, millis, percent } from "../format.ts"

interface Props {
  readonly borrowers: ReadonlyArray<Api.Borrower>
}

export const BorrowersTable = ({ borrowers }: Props): VNode | null =>
  borrowers.length === 0 ? null : (
    <section class="panel borrowers" aria-labelledby="borrowers-title">
      <h2 id="borrowers-title">Who takes the connections’ time</h2>
      <BorrowerRows borrowers={borrowers} />
    </section>
  )

export const BorrowerRows = ({ borrowers }: Props): VNode => (
  <div class="sideways" tabIndex={0} role="region" aria-label="Who takes the connections’ time">
    <table class="plain-table">
      <thead>
        <tr>
          <th scope="col">label</th>
          <th scope="col" class="number" title="Of all the time for which connections were lent in the last minutes">
            share
          </th>
          <th scope="col" class="number" title="Connections held now">held</th>
          <th scope="col" class="number">leases</th>
          <th scope="col" class="number">mean</th>
          <th scope="col" class="number">longest</th>
          <th scope="col" class="number" title="For how long the first in line waited while they held a connection">
            waits
          </th>
          <th scope="col">statement</th>
        </tr>
      </thead>
      <tbody>
        {borrowers.map((row) => <Row key={`${row.label} ${row.statement}`} {...row} />)}
      </tbody>
    </table>
  </div>
)

const Row = ({ label, leases, longest, mean, share, statement, used, waits }: Api.Borrower): VNode => (
  <tr>
    <th scope="row">{label ?? <i>no label</i>}</th>
    <td class="number">
      <b>{percent(share)}</b>
    </td>
    <td class="number">{count(used)}</td>
    <td class="number">{count(leases)}</td>
    <td class="number">{millis(mean)}</td>
    <td class="number">{millis(longest)}</td>
    <td class={waits > 0 ? "number warn" : "number"}>{millis(waits)}</td>
    <td class="code" title={statement ?? undefined}>{statement}</td>
  </tr>
)

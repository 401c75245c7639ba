/**
 * The diagnoses: the fault and since when, the callers that hold or burn connections, and the remedy, without a click.
 */
import { computed } from "@preact/signals"
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { age, time } from "../format.ts"
import { PoolName } from "../parts/PoolName.tsx"
import { Mark } from "../parts/StatusMark.tsx"
import { linkTo } from "../route.ts"
import { type PoolModel, pools, serverNow } from "../store.ts"
import { BorrowerRows } from "./Borrowers.tsx"

interface Wrong {
  readonly pool: PoolModel
  readonly diagnosis: Api.Diagnosis
}

/** So many are told: where more is wrong, the worst are what to begin with. */
const most = 6
/** So many borrowers of each diagnosis are shown. */
const mostBorrowers = 3

const rank = ({ diagnosis: { level, until } }: Wrong): number => until !== null ? 2 : level === "critical" ? 0 : 1

const wrong = computed((): ReadonlyArray<Wrong> =>
  pools.value.flatMap((pool) => {
    const { diagnosis } = pool.read.value.health
    return diagnosis === null ? [] : [{ pool, diagnosis }]
  }).toSorted((a, b) => rank(a) - rank(b) || a.diagnosis.since - b.diagnosis.since)
)

export const Diagnoses = ({ pool }: { readonly pool?: string }): VNode | null => {
  const found = wrong.value.filter((each) => pool === undefined || each.pool.name === pool)
  if (found.length === 0) return null
  const isOver = found.every(({ diagnosis }) => diagnosis.until !== null)
  return (
    <section class="diagnoses panel" aria-labelledby="diagnoses-title">
      <h2 id="diagnoses-title">{isOver ? "What was wrong" : "What is wrong"}</h2>
      <ul>
        {found.slice(0, most).map((each) => <Item key={each.pool.name} {...each} withPool={pool === undefined} />)}
      </ul>
      {found.length > most && <p class="quiet">And {found.length - most} more pools: see below, the worst first.</p>}
    </section>
  )
}

const Item = (
  { diagnosis: { cause, level, remedy, since, text, until }, pool, withPool }: Wrong & { readonly withPool: boolean }
): VNode => {
  const { borrowers } = pool.read.value.stats
  const word = until !== null ? "over" : level
  return (
    <li
      class={until !== null ? "over" : level === "critical" ? "bad" : "warn"}
      data-cause={cause}
      data-pool={pool.name}
    >
      <Mark tone={until !== null ? "ok" : level === "critical" ? "bad" : "warn"} />
      <div>
        <p class="where">
          <b>{word}</b>
          {withPool && (
            <a href={linkTo({ view: "pool", name: pool.name })}>
              <PoolName name={pool.name} />
            </a>
          )}
          <time dateTime={new Date(since).toISOString()}>
            since {time(since)}, {until === null ? `for ${age(serverNow.value - since)}` : `until ${time(until)}`}
          </time>
        </p>
        <strong>{text}</strong>
        <p class="remedy">{remedy}</p>
        {until === null && borrowers.length > 0 && <BorrowerRows borrowers={borrowers.slice(0, mostBorrowers)} />}
      </div>
    </li>
  )
}

/** The charts of a pool. */
import type { VNode } from "preact"
import { compact, millis, percent, rate } from "../format.ts"
import type { Happening } from "../happenings.ts"
import type { Series } from "../series.ts"
import { Chart, type Line } from "./Chart.tsx"

interface Props {
  readonly series: Series
  readonly height: number
  readonly happenings?: () => ReadonlyArray<Happening>
}

const connections: ReadonlyArray<Line> = [
  { column: "used", label: "used", colour: "used", look: "area" },
  { column: "pending", label: "pending", colour: "pending", look: "dashed" },
  { column: "limit", label: "limit", colour: "limit", look: "dotted" }
]

const waits: ReadonlyArray<Line> = [
  { column: "p50", label: "p50", colour: "p50", look: "area" },
  { column: "p95", label: "p95", colour: "p95", look: "line" },
  { column: "p99", label: "p99", colour: "p99", look: "dotted" }
]

const rates: ReadonlyArray<Line> = [{ column: "acquireRate", label: "leases/s", colour: "used", look: "area" }]

const failures: ReadonlyArray<Line> = [{ column: "failureRate", label: "failed", colour: "failed", look: "area" }]

export const ConnectionsChart = (props: Props): VNode => (
  <Chart {...props} title="Connections" lines={connections} format={compact} isWhole isQuiet />
)

export const WaitChart = (props: Props): VNode => <Chart {...props} title="Wait" lines={waits} format={millis} />

export const RateChart = (props: Props): VNode => <Chart {...props} title="Rate" lines={rates} format={rate} />

export const FailureChart = (props: Props): VNode => (
  <Chart {...props} title="Failures" lines={failures} format={percent} />
)

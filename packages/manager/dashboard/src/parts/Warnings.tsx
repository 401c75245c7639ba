/** The warnings of a pool, with their remedies. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import { Mark, toneOfLevel } from "./StatusMark.tsx"

export const Warnings = ({ warnings }: { readonly warnings: ReadonlyArray<Api.Warning> }): VNode | null =>
  warnings.length === 0 ? null : (
    <ul class="warnings" aria-label="Warnings">
      {warnings.map(({ level, message, remedy }, index) => (
        <li key={index} class={level === "critical" ? "bad" : "warn"}>
          <Mark tone={toneOfLevel(level)} />
          <div>
            <strong>{message}</strong>
            <p>{remedy}</p>
          </div>
        </li>
      ))}
    </ul>
  )

/** Chooses how far back the charts go. */
import type { VNode } from "preact"
import { choose, range, ranges } from "../range.ts"
import { readLonger } from "../sync.ts"

export const RangePicker = (): VNode => (
  <div class="ranges" role="group" aria-label="Range of the charts">
    {ranges.map(([name, minutes]) => (
      <button
        key={name}
        type="button"
        class="small"
        aria-pressed={range.value === minutes * 60_000}
        onClick={() => {
          choose(minutes)
          readLonger()
        }}
      >
        {name}
      </button>
    ))}
  </div>
)

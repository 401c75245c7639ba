/** How much of the limit is lent, idle and being opened. */
import type { VNode } from "preact"

interface Props {
  readonly used: number
  readonly idle: number
  readonly opening: number
  readonly limit: number
  readonly label: string
}

const widthOf = (part: number, limit: number): { readonly width: string } => ({
  width: `${limit > 0 ? Math.min(100, part / limit * 100) : 0}%`
})

export const LimitBar = ({ idle, label, limit, opening, used }: Props): VNode => (
  <div
    class={used / limit > 0.9 ? "bar full" : "bar"}
    role="meter"
    aria-label={label}
    aria-valuemin={0}
    aria-valuemax={limit}
    aria-valuenow={used}
    aria-valuetext={`${used} of ${limit} used, ${idle} idle`}
  >
    <span class="used" style={widthOf(used, limit)} />
    <span class="idle" style={widthOf(idle, limit)} />
    <span class="opening" style={widthOf(opening, limit)} />
  </div>
)

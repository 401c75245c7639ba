/** Says loudly when what is shown is old, since nothing looks as calm as a page that hears nothing. */
import type { VNode } from "preact"
import { age } from "../format.ts"
import { heardAt, link, tryAgain } from "../link.ts"
import { Mark } from "../parts/StatusMark.tsx"
import { tick } from "../store.ts"

export const LinkBanner = (): VNode | null => {
  const now = tick.value
  const state = link.value
  const heard = heardAt.value
  if (state.is === "live" || state.is === "locked" || (state.is === "connecting" && heard === undefined)) return null
  return (
    <div class="banner">
      <Mark tone="bad" />
      <p>
        <strong>Not connected</strong>
        {state.because === undefined ? ". " : `: ${state.because}. `}
        {heard !== undefined && `What you see is ${age(Math.max(0, now - heard))} old. `}
        {state.is === "lost" ? `Next try in ${age(Math.max(0, state.retryAt - now) + 999)}.` : "Trying …"}
      </p>
      <button type="button" disabled={state.is !== "lost"} onClick={tryAgain}>Try now</button>
    </div>
  )
}

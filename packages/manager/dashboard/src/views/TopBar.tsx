/** The bar that is always in sight: where one is, whether the page is live, the theme and the token. */
import type { VNode } from "preact"
import { age } from "../format.ts"
import { heardAt, link } from "../link.ts"
import { linkTo, type Route, route } from "../route.ts"
import { actions, currentAlerts, sampleInterval, tick } from "../store.ts"
import { nextTheme, theme } from "../theme.ts"
import { setToken, token } from "../token.ts"
import { isAskingToken } from "./TokenDialog.tsx"

const views: ReadonlyArray<readonly [Exclude<Route["view"], "pool">, string]> = [
  ["pools", "Pools"],
  ["connections", "Connections"],
  ["alerts", "Alerts"],
  ["events", "Events"]
]

export const TopBar = (): VNode => (
  <header class="top">
    <a class="brand" href={linkTo({ view: "pools" })}>
      <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" focusable="false">
        <rect width="32" height="32" rx="8" />
        <path d="M7 12.5c3-3 6-3 9 0s6 3 9 0M7 20.5c3-3 6-3 9 0s6 3 9 0" />
      </svg>
      <span>Connection pools</span>
    </a>
    <nav class="views" aria-label="Views">
      {views.map(([view, name]) => (
        <a key={view} href={linkTo({ view })} aria-current={isCurrent(view) ? "page" : undefined}>
          {name}
          {view === "alerts" && currentAlerts.value.length > 0 && (
            <span class="badge loud">
              {currentAlerts.value.length} <span class="unseen">standing</span>
            </span>
          )}
        </a>
      ))}
    </nav>
    <span class="space" />
    <Pulse />
    <TokenButton />
    <button
      type="button"
      class="small"
      onClick={nextTheme}
      aria-label={`Theme: ${theme.value}. Change it`}
      title="Change the theme"
    >
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true" focusable="false">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.4" />
        <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
      </svg>
      <span class="wide-only">{theme.value}</span>
    </button>
  </header>
)

const isCurrent = (view: Route["view"]): boolean =>
  route.value.view === view || (view === "pools" && route.value.view === "pool")

/** Whether the page is live, and how old its numbers are. */
const Pulse = (): VNode => {
  const now = Math.max(tick.value, heardAt.value ?? 0)
  const old = heardAt.value === undefined ? undefined : now - heardAt.value
  const isLate = old !== undefined && old > Math.max(5000, 3 * sampleInterval.value)
  const { is } = link.value
  const tone = is !== "live" ? "bad" : isLate ? "warn" : "ok"
  const word = is === "live" ? (isLate ? "late" : "live") : is === "connecting" ? "connecting" : "not connected"
  return (
    <span
      class={`pulse ${tone}`}
      data-link={is}
      title={old === undefined ? undefined : `The numbers are ${age(old)} old`}
    >
      <i aria-hidden="true" />
      {word}
      {old !== undefined && (tone !== "ok") && <span class="old">{age(old)} old</span>}
    </span>
  )
}

const TokenButton = (): VNode | null => {
  if (!actions.value && token.value === undefined) return null
  return token.value === undefined
    ? (
      <button type="button" class="small" onClick={() => isAskingToken.value = true}>
        <span>
          Unlock <span class="wide-only">actions</span>
        </span>
      </button>
    )
    : (
      <button type="button" class="small" onClick={() => setToken(undefined)}>
        <span>
          Lock <span class="wide-only">actions</span>
        </span>
      </button>
    )
}

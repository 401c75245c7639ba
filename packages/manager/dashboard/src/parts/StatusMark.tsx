/** A status as a shape, a colour and a word: none of them alone has to carry it. */
import type { VNode } from "preact"
import type * as Api from "../../../src/MonitoringApi.ts"
import type { Level } from "../eventText.ts"

type Tone = "ok" | "warn" | "bad" | "info" | "off"

const shapes: Readonly<Record<Tone, string>> = {
  ok: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM5 8.2l2.1 2.1L11 6.2",
  warn: "M8 1.8L15 14H1zM8 6.2v3.6M8 11.6v.6",
  bad: "M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8",
  info: "M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 0 0 0-5.6z",
  off: "M2.5 3.5h11v9h-11zM6.2 6v4M9.8 6v4"
}

export const Mark = ({ tone }: { readonly tone: Tone }): VNode => (
  <svg class={`mark ${tone}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d={shapes[tone]} />
  </svg>
)

export const toneOf = (status: Api.Status): Tone => status === "healthy" ? "ok" : status === "degraded" ? "warn" : "bad"

export const toneOfLevel = (level: Level | "critical"): Tone =>
  level === "good" ? "ok" : level === "warning" ? "warn" : level === "info" ? "info" : "bad"

export const StatusMark = ({ status }: { readonly status: Api.Status }): VNode => (
  <span class={`status ${toneOf(status)}`}>
    <Mark tone={toneOf(status)} />
    {status}
  </span>
)

/** Whether the pool admits callers; nothing while it does. */
export const StateMark = ({ state }: { readonly state: Api.PoolState }): VNode | null =>
  state === "open" ? null : (
    <span class="status off">
      <Mark tone="off" />
      {state}
    </span>
  )

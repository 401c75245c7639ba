/** Tells a screen reader what matters, in words, and leaves the numbers alone. */
import { effect, signal } from "@preact/signals"
import type { VNode } from "preact"
import { link } from "../link.ts"
import { currentAlerts } from "../store.ts"

const said = signal("")

let known: ReadonlySet<number> = new Set()
effect(() => {
  const alerts = currentAlerts.value
  const raised = alerts.filter(({ id }) => !known.has(id))
  const over = known.size > 0 && alerts.length === 0
  known = new Set(alerts.map(({ id }) => id))
  if (raised.length > 0) {
    said.value = raised.map(({ level, message, pool }) => `${level} alert of ${pool}: ${message}`).join(". ")
  } else if (over) said.value = "All alerts are over."
})

let wasLost = false
effect(() => {
  const { is } = link.value
  if (is === "lost" && !wasLost) said.value = "Not connected to the server."
  if (is === "live" && wasLost) said.value = "Connected again."
  if (is === "lost" || is === "live") wasLost = is === "lost"
})

export const Announcer = (): VNode => <p class="unseen" aria-live="polite">{said.value}</p>

import { effect } from "@preact/signals"
import { render } from "preact"
import "uplot/dist/uPlot.min.css"
import "./styles/colours.css"
import "./styles/base.css"
import "./styles/layout.css"
import "./styles/parts.css"
import "./styles/tables.css"
import { listenToKeys } from "./keys.ts"
import { link } from "./link.ts"
import { currentAlerts } from "./store.ts"
import { start } from "./sync.ts"
import { App } from "./views/App.tsx"

const root = document.getElementById("app")
if (root !== null) render(<App />, root)

/** The title, which a tab in the background can show. */
effect(() => {
  const alerts = currentAlerts.value.length
  const state = link.value.is === "lost" ? "⚠ not connected · " : alerts > 0 ? `▲ ${alerts} · ` : ""
  document.title = `${state}Connection pools`
})

start()
listenToKeys()

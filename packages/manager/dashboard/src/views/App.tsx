/** The page: the bar on top, and the view that the address asks for. */
import type { VNode } from "preact"
import { link } from "../link.ts"
import { route } from "../route.ts"
import { pools } from "../store.ts"
import { Alerts } from "./Alerts.tsx"
import { Announcer } from "./Announcer.tsx"
import { Connections } from "./Connections.tsx"
import { Diagnoses } from "./Diagnoses.tsx"
import { EventLog } from "./EventLog.tsx"
import { Fleet } from "./Fleet.tsx"
import { LinkBanner } from "./LinkBanner.tsx"
import { Notices } from "./Notices.tsx"
import { PoolGrid } from "./PoolGrid.tsx"
import { PoolPage } from "./PoolPage.tsx"
import { QuestionDialog } from "./QuestionDialog.tsx"
import { TokenDialog, TokenForm } from "./TokenDialog.tsx"
import { TopBar } from "./TopBar.tsx"

export const App = (): VNode => (
  <>
    <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
    <TopBar />
    <LinkBanner />
    <main id="main" tabIndex={-1} class={link.value.is === "lost" ? "stale" : ""}>
      <View />
    </main>
    <Announcer />
    <Notices />
    <TokenDialog />
    <QuestionDialog />
  </>
)

/** The hash of the address is the view: the browser must not make it `main`. */
const skip = (event: Event): void => {
  event.preventDefault()
  document.getElementById("main")?.focus()
}

const View = (): VNode => {
  const { value } = link
  if (value.is === "locked") return <Locked isWrong={value.isWrong} />
  const shown = route.value
  if (shown.view === "pool") return <PoolPage name={shown.name} />
  if (shown.view === "connections") return <Connections />
  if (shown.view === "alerts") return <Alerts cleared={100} />
  if (shown.view === "events") {
    return (
      <div class="whole">
        <EventLog />
      </div>
    )
  }
  return pools.value.length === 0 ? <p class="empty">Waiting for the first numbers …</p> : <Overview />
}

const Overview = (): VNode => (
  <>
    <h1 class="unseen">All pools</h1>
    <Fleet />
    <Diagnoses />
    <div class="overview">
      <PoolGrid />
      <div class="beside">
        <Alerts cleared={3} />
        <EventLog isBrief />
      </div>
    </div>
  </>
)

const Locked = ({ isWrong }: { readonly isWrong: boolean }): VNode => (
  <section class="locked panel" aria-labelledby="locked-title">
    <h1 id="locked-title">This server asks for its token</h1>
    <TokenForm
      key={String(isWrong)}
      text={isWrong ? "That was not the token. Another try?" : "It is kept in this tab only."}
    />
  </section>
)

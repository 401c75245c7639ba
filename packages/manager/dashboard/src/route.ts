/** Which view is shown, kept in the hash of the address so that it can be bookmarked. */
import { signal } from "@preact/signals"
import { kept } from "./token.ts"

export type Route =
  | { readonly view: "pools" | "connections" | "alerts" | "events" }
  | { readonly view: "pool"; readonly name: string }

const read = (): Route => {
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/")
  if (view === "connections" || view === "alerts" || view === "events") return { view }
  const name = view === "pool" ? kept(() => decodeURIComponent(rest.join("/"))) : undefined
  return name === undefined || name === "" ? { view: "pools" } : { view: "pool", name }
}

export const route = signal<Route>(read())

export const linkTo = (route: Route): string =>
  route.view === "pool" ? `#/pool/${encodeURIComponent(route.name)}` : `#/${route.view === "pools" ? "" : route.view}`

addEventListener("hashchange", () => {
  route.value = read()
  scrollTo(0, 0)
})

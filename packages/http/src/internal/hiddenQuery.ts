/**
 * Queries that a span can't show with their values left out.
 *
 * Effect's client writes the URL into the span of a request without the values of its query. A part without `=` has no value:
 * `?c2VjcmV0` would be shown as it is. So a query with such a part is kept from the client, and given back to the request
 * when its span has been made.
 */
import * as Context from "effect/Context"

export interface HiddenQuery {
  /** The URL without its query. */
  readonly shown: string
  readonly query: string
}

/** That of the request that is being made. */
export const Current = Context.Reference<HiddenQuery | undefined>("@effect-pools/http/HiddenQuery", {
  defaultValue: () => undefined
})

/** The query of a URL without a fragment, if it must be kept from spans. */
export const find = (url: string): HiddenQuery | undefined => {
  const start = url.indexOf("?")
  if (start < 0) return undefined
  const query = url.slice(start + 1)
  return query.split("&").some((part) => part !== "" && !part.includes("="))
    ? { shown: url.slice(0, start), query }
    : undefined
}

/** The URL that is asked for, given the one that the span shows. */
export const restored = (hidden: HiddenQuery | undefined, shown: URL): URL => {
  if (hidden === undefined) return shown
  const url = new URL(shown)
  // The parameters of the request itself come after those of its URL.
  url.search = [hidden.query, shown.search.slice(1)].filter((part) => part !== "").join("&")
  return url
}

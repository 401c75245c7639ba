/** The token that lets one act, and read where that needs it: for this tab only, and never part of an address. */
import { signal } from "@preact/signals"

const key = "effect-pools-token"

export const token = signal<string | undefined>(kept(() => sessionStorage.getItem(key) ?? undefined))

export const setToken = (value: string | undefined): void => {
  token.value = value
  kept(() => value === undefined ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, value))
}

/** A browser may forbid to keep anything: then the token lasts as long as the page. */
export function kept<A>(f: () => A): A | undefined {
  try {
    return f()
  } catch {
    return undefined
  }
}

/** Light, dark, or whatever the system says. */
import { computed, effect, signal } from "@preact/signals"
import { kept } from "./token.ts"

export type Theme = "system" | "light" | "dark"

const key = "effect-pools-theme"
const system = matchMedia("(prefers-color-scheme: dark)")
const systemIsDark = signal(system.matches)
const stored = kept(() => localStorage.getItem(key))

export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system")

export const isDark = computed(() => theme.value === "system" ? systemIsDark.value : theme.value === "dark")

export const nextTheme = (): void => {
  const following = { system: "light", light: "dark", dark: "system" } as const
  theme.value = following[theme.value]
  kept(() => localStorage.setItem(key, theme.value))
}

system.addEventListener("change", ({ matches }) => {
  systemIsDark.value = matches
})

effect(() => {
  document.documentElement.dataset["theme"] = theme.value
})

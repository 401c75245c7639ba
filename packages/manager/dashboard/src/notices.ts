/** The outcome of an action. Good news go by themselves, bad news stay. */
import { signal } from "@preact/signals"

export interface Notice {
  readonly key: number
  readonly level: "good" | "bad" | "busy"
  readonly text: string
}

export const notices = signal<ReadonlyArray<Notice>>([])

let key = 0

export const notify = (level: Notice["level"], text: string): number => {
  const notice = { key: ++key, level, text }
  notices.value = [...notices.value, notice].slice(-5)
  if (level === "good") setTimeout(() => dismiss(notice.key), 8000)
  return notice.key
}

export const dismiss = (key: number): void => {
  notices.value = notices.value.filter((notice) => notice.key !== key)
}

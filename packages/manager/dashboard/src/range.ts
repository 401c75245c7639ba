/** How far back the charts go. */
import { signal } from "@preact/signals"

export const ranges = [["5 min", 5], ["15 min", 15], ["1 hour", 60]] as const

const minute = 60_000

/** ms */
export const range = signal<number>(5 * minute)

/** Whether what is shown is more than the server tells of unasked. */
export const isLong = (): boolean => range.peek() > 5 * minute

export const choose = (minutes: number): void => {
  range.value = minutes * minute
}

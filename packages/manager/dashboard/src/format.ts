/** Numbers and durations as people read them. */

const whole = new Intl.NumberFormat("en")
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })

export const count = (n: number): string => whole.format(n)

/** Never wider than a few characters. */
export const compact = (n: number): string => Math.abs(n) < 10_000 ? whole.format(Math.round(n)) : short.format(n)

export const rate = (perSecond: number): string => perSecond < 10 ? trimmed(perSecond, 1) : compact(perSecond)

/** A share of 0 to 1. A small one is never shown as none. */
export const percent = (share: number): string => {
  const value = share * 100
  if (value > 0 && value < 0.1) return "< 0.1 %"
  return `${trimmed(value, value < 10 ? 1 : 0)} %`
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A duration in the unit that suits it. */
export const millis = (ms: number): string => {
  if (ms <= 0) return "0 ms"
  if (ms < 0.1) return "< 0.1 ms"
  if (ms < second) return `${trimmed(ms, ms < 10 ? 1 : 0)} ms`
  if (ms < minute) return `${trimmed(ms / second, 1)} s`
  if (ms < hour) return `${trimmed(ms / minute, 1)} min`
  return ms < 2 * day ? `${trimmed(ms / hour, 1)} h` : `${trimmed(ms / day, 1)} d`
}

/** A duration that grows by itself: whole units only, so that it does not flicker. */
export const age = (ms: number): string => {
  if (ms < minute) return `${Math.max(0, Math.floor(ms / second))} s`
  if (ms < hour) return `${Math.floor(ms / minute)} min`
  return ms < 2 * day ? `${Math.floor(ms / hour)} h` : `${Math.floor(ms / day)} d`
}

export const time = (at: number): string => clock.format(at)

export const plural = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`

const trimmed = (n: number, digits: number): string => String(Number(n.toFixed(digits)))

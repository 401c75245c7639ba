/**
 * Values of plain types, written as PostgreSQL writes them: dates and times in ISO style and in UTC, intervals in its
 * default style, money with two digits after the point.
 */
import type { Bytes } from "./bytes.ts"

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** The shortest digits that read back as the same number, with an exponent from 1e15 on and below 1e-4. */
export const float = (value: number): string => {
  if (Object.is(value, -0)) return "-0"
  if (!Number.isFinite(value) || value === 0) return String(value)
  const [digits = "", power = "0"] = value.toExponential().split("e")
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 15) return fixed(digits, exponent)
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`
}

// `String` of such a number has no exponent, except for those below 1e-6, which are not asked for here.
const fixed = (digits: string, exponent: number): string => String(Number(`${digits}e${exponent}`))

/** A float of 4 bytes has fewer digits than the number that holds it: the shortest that rounds to the same. */
export const float4 = (value: number): string => {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return float(short)
  }
  return float(value)
}

export const money = (bytes: Bytes): string => {
  const cents = bytes.int64()
  const size = cents < 0n ? -cents : cents
  const whole = (size / 100n).toLocaleString("en-US")
  return `${cents < 0n ? "-" : ""}$${whole}.${String(size % 100n).padStart(2, "0")}`
}

export const bits = (bytes: Bytes): string => {
  const count = bytes.int32()
  return Array.from(bytes.rest(), (byte) => byte.toString(2).padStart(8, "0")).join("").slice(0, count)
}

export const mac = (bytes: Bytes): string => hex(bytes.rest()).replaceAll(/..(?!$)/g, "$&:")

export const lsn = (bytes: Bytes): string => {
  const high = bytes.uint32()
  return `${high.toString(16)}/${bytes.uint32().toString(16)}`.toUpperCase()
}

export const tid = (bytes: Bytes): string => {
  const block = bytes.uint32()
  return `(${block},${bytes.uint16()})`
}

export const snapshot = (bytes: Bytes): string => {
  const count = bytes.int32()
  const edges = `${bytes.int64()}:${bytes.int64()}`
  return `${edges}:${Array.from({ length: count }, () => bytes.int64()).join(",")}`
}

const microsPerDay = 86_400_000_000n
const epochDays = 10_957

const pad = (value: number | bigint, size = 2): string => String(value).padStart(size, "0")

const fraction = (micros: bigint): string => {
  if (micros === 0n) return ""
  let digits = micros
  let size = 6
  for (; digits % 10n === 0n; size--) digits /= 10n
  return `.${pad(digits, size)}`
}

const clock = (micros: bigint): string => {
  const seconds = micros / 1_000_000n
  return `${pad(seconds / 3600n)}:${pad(seconds / 60n % 60n)}:${pad(seconds % 60n)}${fraction(micros % 1_000_000n)}`
}

/** `days` since 2000-01-01. The year of a date before the year 1 is told with its era. */
const day = (days: number): { readonly text: string; readonly era: string } => {
  const shifted = days + epochDays + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthOfYear = Math.floor((5 * ofYear + 2) / 153)
  const date = ofYear - Math.floor((153 * monthOfYear + 2) / 5) + 1
  const month = monthOfYear < 10 ? monthOfYear + 3 : monthOfYear - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return {
    text: `${pad(year > 0 ? year : 1 - year, 4)}-${pad(month)}-${pad(date)}`,
    era: year > 0 ? "" : " BC"
  }
}

export const date = (bytes: Bytes): string => {
  const days = bytes.int32()
  if (days === 0x7fffffff) return "infinity"
  if (days === -0x80000000) return "-infinity"
  const { era, text } = day(days)
  return text + era
}

export const timestamp = (zone: "" | "+00") => (bytes: Bytes): string => {
  const micros = bytes.int64()
  if (micros === 0x7fffffffffffffffn) return "infinity"
  if (micros === -0x8000000000000000n) return "-infinity"
  const rest = (micros % microsPerDay + microsPerDay) % microsPerDay
  const { era, text } = day(Number((micros - rest) / microsPerDay))
  return `${text} ${clock(rest)}${zone}${era}`
}

export const time = (bytes: Bytes): string => clock(bytes.int64())

export const timetz = (bytes: Bytes): string => {
  const text = clock(bytes.int64())
  // The server counts to the west.
  const west = bytes.int32()
  const away = Math.abs(west)
  const minutes = Math.floor(away / 60) % 60
  const seconds = away % 60
  const zone = `${west > 0 ? "-" : "+"}${pad(Math.floor(away / 3600))}`
  return text + zone + (minutes > 0 || seconds > 0 ? `:${pad(minutes)}` : "") + (seconds > 0 ? `:${pad(seconds)}` : "")
}

export const interval = (bytes: Bytes): string => {
  const micros = bytes.int64()
  const days = bytes.int32()
  const months = bytes.int32()
  if (days === 0x7fffffff && months === 0x7fffffff) return "infinity"
  if (days === -0x80000000 && months === -0x80000000) return "-infinity"
  const parts: Array<string> = []
  let wasNegative = false
  const add = (value: number, unit: string): void => {
    if (value === 0) return
    // A part that follows a negative one tells that it is positive.
    parts.push(`${wasNegative && value > 0 ? "+" : ""}${value} ${unit}${value === 1 ? "" : "s"}`)
    wasNegative = value < 0
  }
  add(Math.trunc(months / 12), "year")
  add(months % 12, "mon")
  add(days, "day")
  if (micros !== 0n || parts.length === 0) {
    const sign = micros < 0n ? "-" : wasNegative ? "+" : ""
    parts.push(sign + clock(micros < 0n ? -micros : micros))
  }
  return parts.join(" ")
}

/**
 * The table of a pool's options as data, for pages and tools.
 */
import type { OptionInfo } from "../model/config.ts"
import type { About, AnyTable } from "./entry.ts"
import type { OwnOption } from "./own.ts"
import { millisOf } from "./rule.ts"

type Values = Readonly<Record<string, unknown>>

/**
 * Every option that is documented, those within others after them by a path such as `breaker.failureRate`. `given` is what
 * a kind says of them itself.
 */
export const describe = (table: AnyTable, defaults: object, given: object = {}, path = ""): ReadonlyArray<OptionInfo> =>
  Object.entries(table).flatMap(([option, entry]) => {
    const { about } = entry
    const fallback = (defaults as Values)[option]
    const own = (given as Values)[option]
    const name = `${path}${option}`
    const within = entry._tag === "Group"
      ? describe(entry.fields, fallback as object, own as object | undefined, `${name}.`)
      : []
    if (about === undefined) return within
    const isDuration = about.unit === "duration" ||
      (entry._tag === "Leaf" ? entry.isDuration : areDurations(entry.fields))
    const expects = entry._tag === "Leaf" ? entry.expects : "an object"
    const value = isDuration ? millisOf(own) ?? fallback : fallback
    // The kind's own is another than the table shows.
    const told = shown(value, isDuration) ?? about.shows
    return [infoOf(name, { expects, about, default: told, isDuration })].concat(within)
  })

/** The options of a backend, those within others after them. */
export const describeOwn = (
  table: Readonly<Record<string, OwnOption>>,
  path = ""
): ReadonlyArray<OptionInfo> =>
  Object.entries(table).flatMap(([option, { about, default: value, expects, isDuration = false, within }]) => {
    const found = { expects, about, default: about.shows ?? shown(value, isDuration), isDuration }
    return [infoOf(`${path}${option}`, found)].concat(describeOwn(within ?? {}, `${path}${option}.`))
  })

interface Found {
  readonly expects: string
  readonly about: About
  /** In a few characters. */
  readonly default: string | undefined
  readonly isDuration: boolean
}

const infoOf = (name: string, { about, default: told, expects, isDuration }: Found): OptionInfo => ({
  name,
  expects,
  unit: isDuration ? "duration" : about.unit,
  default: told,
  isByKind: about.isByKind === true,
  does: about.does,
  defaults: about.defaults,
  note: about.note,
  tooSmall: about.tooSmall,
  tooLarge: about.tooLarge
})

const areDurations = (table: AnyTable): boolean =>
  Object.values(table).every((entry) => entry._tag === "Leaf" && entry.isDuration)

/** A default in a few characters; `undefined` where a sentence tells it. */
const shown = (value: unknown, isDuration: boolean): string | undefined => {
  if (isDuration && typeof value === "number") return durationOf(value)
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? String(value) : undefined
    case "boolean":
    case "string":
      return JSON.stringify(value)
    default:
      return undefined
  }
}

const units: ReadonlyArray<readonly [millis: number, name: string]> = [
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"]
]

const durationOf = (millis: number): string | undefined => {
  if (!Number.isFinite(millis)) return undefined
  const [size, unit] = units.find(([size]) => millis >= size && millis % size === 0) ?? [1, "ms"]
  return `${millis / size} ${unit}`
}

/** The documentation of an option in one paragraph, as its comment has it. */
export const paragraphOf = (
  { default: value, defaults, does, isByKind, note, tooLarge, tooSmall, unit }: OptionInfo
): string => {
  const shown = value?.startsWith("\"") === true ? `\`${value}\`` : value
  const [small, large] = unit === "duration" ? ["short", "long"] : ["small", "large"]
  return [
    does,
    defaults ?? (isByKind ? "Default by kind." : shown === undefined ? undefined : `Default ${shown}.`),
    note,
    tooSmall === undefined ? undefined : `Too ${small}: ${tooSmall}`,
    tooLarge === undefined ? undefined : `Too ${large}: ${tooLarge}`
  ].filter((sentence) => sentence !== undefined).join(" ")
}

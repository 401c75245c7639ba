/**
 * Completes options that were given and checked with defaults, as the table says.
 */
import type { PoolOptions } from "../model/config.ts"
import type { AnyTable } from "./entry.ts"
import { type Complete, poolTable } from "./poolTable.ts"

type Values = Readonly<Record<string, unknown>>

const defaultsOf = (table: AnyTable): Values =>
  Object.freeze(
    Object.fromEntries(
      Object.entries(table).map(([option, entry]) => [
        option,
        entry._tag === "Group" ? defaultsOf(entry.fields) : entry.default
      ])
    )
  )

/** Options that are given first: the defaults of the others give way to them, in the order of the table. */
const merge = (table: AnyTable, base: Values, given: Values): Values => {
  const all: Record<string, unknown> = { ...base }
  const entries = Object.entries(table)
  for (const [option, entry] of entries) {
    const value = given[option]
    if (value === undefined) continue
    all[option] = entry._tag === "Group"
      ? merge(entry.fields, base[option] as Values, value as Values)
      : entry.keep(value)
  }
  for (const [option, entry] of entries) {
    if (given[option] === undefined && entry._tag === "Leaf" && entry.yields !== undefined) {
      all[option] = entry.yields(all, base)
    }
  }
  return Object.freeze(all)
}

// The table has an entry of the right type for each field of these.

/** The defaults of a pool of any service, from which those of a kind may differ. */
export const common: Complete = defaultsOf(poolTable) as unknown as Complete

export const complete = (base: Complete, given: PoolOptions): Complete =>
  merge(poolTable, base as unknown as Values, given as Values) as unknown as Complete

/**
 * Reads the traffic a caller said of itself: for this one lease, or around the effect that asks (`Traffic.with`).
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { millisOf } from "../../OptionRules.ts"
import { PoolMisuse } from "../../PoolError.ts"
import { priorities, type Said, type TrafficOptions } from "../model/traffic.ts"
import { labelOf, type Lease } from "./lease.ts"

/** The traffic of a caller that said nothing. */
export const nothing: Said = Object.freeze({
  priority: "normal",
  fairKey: undefined,
  deadlineAt: Infinity,
  isRetry: false,
  affinity: undefined,
  tags: undefined
})

/** The traffic said around the running effect. */
export const around: Context.Reference<Said> = Context.Reference<Said>("@effect-pools/core/Traffic", {
  defaultValue: () => nothing
})

/** Longer keys are cut: they may come from outside, and every one is kept. */
const longestKey = 200

/** Says something more within what was said already. Whatever is no traffic at all is a defect of the program. */
export const sayWithin = (
  outer: Said,
  { affinity, deadline, fairKey, isRetry, priority, tags }: TrafficOptions,
  now: number
): Said => {
  if (priority !== undefined && !priorities.includes(priority)) {
    throw misuse(`priority must be "high", "normal" or "low", got ${String(priority)}`)
  }
  if (fairKey !== undefined && typeof fairKey !== "string") throw misuse("fairKey must be a text")
  const left = deadline === undefined ? Infinity : millisOf(deadline)
  if (left === undefined || Number.isNaN(left)) {
    throw misuse("deadline must be a duration, such as \"1 second\" or 1000")
  }
  if (affinity !== undefined && typeof affinity !== "string") throw misuse("affinity must be a text")
  if (isRetry !== undefined && typeof isRetry !== "boolean") throw misuse("isRetry must be true or false")
  return {
    priority: priority ?? outer.priority,
    fairKey: fairKey?.slice(0, longestKey) ?? outer.fairKey,
    // An inner effect can't take longer than the outer one.
    deadlineAt: Math.min(outer.deadlineAt, now + left),
    isRetry: isRetry ?? outer.isRetry,
    affinity: affinity?.slice(0, longestKey) ?? outer.affinity,
    tags: tags === undefined ? outer.tags : tagsWithin(outer.tags, tags)
  }
}

/** How many tags are kept, and how much of each: they may come from outside, and are shown and sent on. */
const mostTags = 8
const longestTag = 100

const tagsWithin = (
  outer: Said["tags"],
  tags: Readonly<Record<string, string>>
): Readonly<Record<string, string>> => {
  if (typeof tags !== "object" || tags === null) throw misuse("tags must be an object of texts")
  const kept = new Map(Object.entries(outer ?? {}))
  for (const [name, value] of Object.entries(tags)) {
    if (typeof value !== "string") throw misuse(`tags must be texts, got a ${typeof value}`)
    if (kept.size < mostTags || kept.has(name)) kept.set(name.slice(0, longestTag), value.slice(0, longestTag))
  }
  return Object.freeze(Object.fromEntries(kept))
}

const misuse = (rule: string): PoolMisuse => new PoolMisuse({ pool: "Traffic", rule })

/**
 * Reads what is said around fibers. Most of those that wait run in the same context as the one before them, and looking into one
 * costs as much as the rest of entering a queue.
 */
export class Around {
  private context: Context.Context<never> | undefined = undefined
  private said = nothing

  of(fiber: Lease["fiber"]): Said {
    if (fiber.context === this.context) return this.said
    this.context = fiber.context
    return this.said = fiber.getRef(around)
  }

  /** Lets go of the last context, and of all the services in it. */
  forget(): void {
    this.context = undefined
  }
}

/** Nobody asks before a caller must wait, unless the pool weighs every lease. `outer` is what is said around its fiber. */
export const saidOf = (lease: Lease, outer: Said, clock: Clock.Clock): Said => {
  const { options } = lease.request
  return options === undefined || (options.priority ?? options.fairKey ?? options.deadline) === undefined
    ? outer
    : sayWithin(outer, options, options.deadline === undefined ? 0 : clock.currentTimeMillisUnsafe())
}

/** The key of a lease, asked or not. */
export const keyOf = ({ fiber, request: { options }, said }: Lease): string | undefined =>
  said === undefined ? options?.fairKey ?? fiber.getRef(around).fairKey : said.fairKey

/** The tags of a lease, as its fiber says them now. */
export const tagsOf = ({ fiber }: Lease): Said["tags"] => fiber.getRef(around).tags

/** How a lease is told in events and errors: by its label, and by its tags if it has any. */
export const nameOf = (lease: Lease): { readonly label: string | undefined; readonly tags?: Said["tags"] } => {
  const tags = tagsOf(lease)
  return tags === undefined ? { label: labelOf(lease) } : { label: labelOf(lease), tags }
}

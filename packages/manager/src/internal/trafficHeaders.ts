/**
 * Reads from the headers of a request who is served when. They come from outside: whatever makes no sense is as good as
 * absent.
 */
import { priorities, type Priority, type TrafficOptions } from "@effect-pools/core/Traffic"
import type { Headers } from "effect/http/Headers"

/** The names of the headers, each of which may be left out. */
export interface TrafficHeaders {
  /** `high`, `normal` or `low`. */
  readonly priority?: string | undefined
  /** Any text, such as the number of a tenant. */
  readonly fairKey?: string | undefined
  /** How many milliseconds the client waits for the answer. */
  readonly deadline?: string | undefined
}

export const read = (names: TrafficHeaders, headers: Headers): TrafficOptions => {
  const valueOf = (name: string | undefined): string | undefined =>
    name === undefined ? undefined : headers[name.toLowerCase()]
  const fairKey = valueOf(names.fairKey)
  return {
    priority: priorityOf(valueOf(names.priority)),
    fairKey: fairKey === "" ? undefined : fairKey,
    deadline: millisOf(valueOf(names.deadline))
  }
}

const priorityOf = (text: string | undefined): Priority | undefined =>
  priorities.find((priority) => priority === text?.toLowerCase())

const millisOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined

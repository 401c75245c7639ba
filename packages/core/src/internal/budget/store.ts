/**
 * The store through which the processes of a fleet share a budget.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { BudgetProcess } from "../model/budget.ts"

/** The report of a process to the store, and its request. */
export interface Report {
  /** Another for each process that begins, also for one that takes the place of another. */
  readonly id: string
  /** Its name on pages. */
  readonly label: string
  /** Rises with each report: one that comes late says nothing any more. */
  readonly sequence: number
  readonly total: number
  readonly floor: number
  /** Connections that the process has or may open as it knows it: it reports those that it gives up afterwards. */
  readonly holds: number
  readonly wants: number
  /** Whether the store knew it before, so that a store that knows nobody has forgotten. */
  readonly isKnown: boolean
  readonly isLeaving: boolean
}

/** The store's answer. */
export interface Answer {
  readonly grant: number
  /** The smallest of what the processes say is the total. */
  readonly total: number
  /** Connections that all of them hold, this one included. */
  readonly held: number
  readonly processes: number
  /** Whether the store has forgotten what they hold, and waits until they have told it. */
  readonly isLearning: boolean
  /** How long to wait before asking for more again, if it was not granted: milliseconds. */
  readonly retryIn: number
}

export interface Store {
  readonly report: (report: Report) => Effect.Effect<Answer, unknown>
  /** The processes that share the budget, those with the most first, so many at most. */
  readonly processes: (most: number) => Effect.Effect<ReadonlyArray<Omit<BudgetProcess, "isSelf">>, unknown>
}

/** A store that answered something else than what was asked. */
export class BudgetAnswerInvalid extends Data.TaggedError("BudgetAnswerInvalid")<{ readonly detail: string }> {
  override get message(): string {
    return `the store of the budget answered ${this.detail}`
  }
}

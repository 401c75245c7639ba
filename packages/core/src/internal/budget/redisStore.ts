/**
 * A fleet's budget in the `Redis` of `effect/persistence`.
 */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type { BudgetProcess } from "../model/budget.ts"
import { processesScript, reportScript } from "./fleetScript.ts"
import { type Answer, BudgetAnswerInvalid, type Report, type Store } from "./store.ts"

export const make = (redis: Redis.Redis["Service"], name: string): Store => ({
  report: (report) => Effect.flatMap(redis.eval(reportScript)(name, partsOf(report)), readAnswer),
  processes: (most) =>
    Effect.flatMap(redis.eval(processesScript)(name), (answer) => Effect.map(readProcesses(answer), biggest(most)))
})

export const partsOf = (report: Report): ReadonlyArray<string | number> => [
  report.id,
  report.label,
  report.sequence,
  report.total,
  report.floor,
  report.holds,
  report.wants,
  report.isKnown ? 1 : 0,
  report.isLeaving ? 1 : 0
]

export const readAnswer = (answer: unknown): Effect.Effect<Answer, BudgetAnswerInvalid> => {
  const numbers = Array.isArray(answer) ? answer.map(Number) : []
  const isWhole = numbers.length === 6 && numbers.every((each) => Number.isSafeInteger(each) && each >= 0)
  if (!isWhole) return Effect.fail(new BudgetAnswerInvalid({ detail: `${typeName(answer)}, not six numbers` }))
  const [grant, total, held, processes, isLearning, retryIn] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  return Effect.succeed({ grant, total, held, processes, isLearning: isLearning === 1, retryIn })
}

const readProcesses = (
  answer: unknown
): Effect.Effect<ReadonlyArray<Omit<BudgetProcess, "isSelf">>, BudgetAnswerInvalid> => {
  const [now, flat] = Array.isArray(answer) ? answer : []
  if (!Array.isArray(flat)) {
    return Effect.fail(new BudgetAnswerInvalid({ detail: `${typeName(answer)}, not the processes` }))
  }
  const found: Array<Omit<BudgetProcess, "isSelf">> = []
  for (let at = 1; at < flat.length; at += 2) {
    const [, grant, wants, , , , seen] = String(flat[at]).split(" ", 7).map(Number)
    if (grant === undefined || wants === undefined || seen === undefined) continue
    const name = String(flat[at]).split(" ").slice(7).join(" ")
    found.push({ id: String(flat[at - 1]), name, grant, wants, age: Math.max(0, Number(now) - seen) })
  }
  return Effect.succeed(found)
}

const biggest = (most: number) => <A extends { readonly grant: number }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.toSorted((a, b) => b.grant - a.grant).slice(0, most)

/** The type of an answer, without a word of its content: it may be anything. */
const typeName = (answer: unknown): string =>
  Array.isArray(answer) ? `a list of ${answer.length}` : answer === null ? "nothing" : `a ${typeof answer}`

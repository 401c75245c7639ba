/** Before anything is timed: every contender must do the same work. */
import { inTime, Unequal } from "../race.ts"
import type { Client, Located, Workload } from "./workload.ts"

/** The weight of the results of so many operations together. */
export const sumOf = (workload: Workload<unknown>, total: number): number => {
  let sum = 0
  for (let i = 0; i < total; i++) sum += workload.weight(i)
  return sum
}

const samples = 100

/** Throws `Unequal` if the contender does not do what all must do. */
export const check = async (
  workload: Workload<unknown>,
  contender: string,
  client: Client<unknown>,
  { callers, name, url }: Located
): Promise<void> => {
  const unequal = (problem: string) => new Unequal(name, contender, problem)
  const compare = async () => {
    for (let i = 0; i < samples; i++) {
      if (!workload.isRight(i, await client.one(i))) throw unequal(`gave another result for operation ${i}`)
    }
  }
  await inTime(compare(), unequal)
  const total = callers * Math.ceil(samples / callers)
  const sum = await inTime(client.run(callers, total, workload.weigh), unequal)
  const expected = sumOf(workload, total)
  if (sum !== expected) throw unequal(`gave results that add up to ${sum}, not to ${expected}`)
  const problem = await workload.inspect?.(url)
  if (problem !== undefined) throw unequal(problem)
}

/** The actions on pools: asked about where they hurt, done, and told how they went. */
import { computed, signal } from "@preact/signals"
import * as api from "./api.ts"
import { count, millis, plural } from "./format.ts"
import { dismiss, notify } from "./notices.ts"
import { actions } from "./store.ts"
import { refresh } from "./sync.ts"
import { setToken, token } from "./token.ts"

/** Whether the server has actions and the user gave a token for them. */
export const canAct = computed(() => actions.value && token.value !== undefined)

export interface Question {
  readonly title: string
  readonly text: string
  readonly button: string
  readonly isDangerous: boolean
  /** Asks for a number as well. */
  readonly number?: { readonly label: string; readonly from: number; readonly to: number; readonly value: number }
  readonly then: (number: number) => void
}

export const question = signal<Question | undefined>(undefined)

const run = async (doing: string, failed: string, deed: () => Promise<string>): Promise<void> => {
  const busy = notify("busy", doing)
  try {
    notify("good", await deed())
  } catch (error) {
    notify("bad", `${failed}: ${error instanceof Error ? error.message : String(error)}`)
    // The token was right once: the server must have another now.
    if (error instanceof api.Refused && error.status === 401) setToken(undefined)
  }
  dismiss(busy)
  refresh()
}

export const warmUp = (pool: string, { limit, min }: { readonly limit: number; readonly min: number }): void => {
  question.value = {
    title: `Warm up ${pool}?`,
    text: "Connections are opened until so many are open.",
    button: "Warm up",
    isDangerous: false,
    number: { label: "Open connections", from: 0, to: limit, value: Math.max(1, min) },
    then: (number) =>
      void run(`Warming up ${pool} …`, `${pool} could not be warmed up`, async () => {
        const { open } = await api.warmUp(pool, number)
        return `${pool}: ${plural(open, "connection is", "connections are")} open`
      })
  }
}

export const pause = (pool: string): void => {
  question.value = {
    title: `Pause ${pool}?`,
    text: "Newcomers are refused and nothing is lent until it is resumed. Leases and waiters stay as they are.",
    button: "Pause",
    isDangerous: true,
    then: () =>
      void run(`Pausing ${pool} …`, `${pool} could not be paused`, async () => {
        await api.act(pool, "pause")
        return `${pool} is paused`
      })
  }
}

export const resume = (pool: string): void =>
  void run(`Resuming ${pool} …`, `${pool} could not be resumed`, async () => {
    await api.act(pool, "resume")
    return `${pool} is resumed`
  })

export const retireAll = (pool: string): void => {
  question.value = {
    title: `Retire all connections of ${pool}?`,
    text: "Idle connections are closed now and lent ones when they come back. Others are opened in their place.",
    button: "Retire all",
    isDangerous: true,
    then: () =>
      void run(`Retiring the connections of ${pool} …`, `The connections of ${pool} could not be retired`, async () => {
        await api.act(pool, "retire-all")
        return `${pool}: all connections are being replaced`
      })
  }
}

export const drain = (pool: string, drainTimeout: number): void => {
  question.value = {
    title: `Drain ${pool}?`,
    text: `The pool admits nobody any more, waits up to ${millis(drainTimeout)} for borrowers, and closes for good: ` +
      "only a restart of the program opens it again.",
    button: "Drain for good",
    isDangerous: true,
    then: () =>
      void run(`Draining ${pool} …`, `${pool} could not be drained`, async () => {
        const { report } = await api.drain(pool)
        return `${pool} is drained in ${millis(report.took)}: ${count(report.closed)} closed, ${
          count(report.abandoned.length)
        } abandoned, ${count(report.refused)} refused`
      })
  }
}

export const retire = (pool: string, connection: number): void =>
  void run(
    `Retiring connection ${connection} of ${pool} …`,
    `Connection ${connection} could not be retired`,
    async () => {
      await api.retire(pool, connection)
      return `${pool}: connection ${connection} is retired`
    }
  )

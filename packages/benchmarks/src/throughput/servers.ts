/** The servers, seen from the run. */
import { setTimeout } from "node:timers/promises"
import { ask, end, start } from "../children.ts"
import type { Answer, ServerKind } from "./server.ts"

export interface Server {
  readonly url: string
  /** How many connections it has, by its own count. */
  connections(): Promise<number>
  close(): Promise<void>
}

export const openServer = async (kind: ServerKind): Promise<Server> => {
  const child = start(new URL("server.ts", import.meta.url), [kind])
  const name = `the ${kind} server`
  const listening = await ask<Answer>(child, name)
  if (listening._tag !== "Listening") throw new Error(`${name}: ${problemOf(listening)}`)
  return {
    url: listening.url,
    async connections() {
      const answer = await ask<Answer>(child, name, {})
      if (answer._tag !== "Connections") throw new Error(`${name}: ${problemOf(answer)}`)
      return answer.count
    },
    close: () => end(child)
  }
}

const problemOf = (answer: Answer): string => answer._tag === "Failed" ? answer.problem : `unexpected ${answer._tag}`

const patience = 50

/** Waits until it has no more than so many: it learns a little later than the client that one has ended. */
export const settle = async (server: Server, most: number): Promise<number> => {
  let count = await server.connections()
  for (let i = 0; count > most && i < patience; i++) {
    await setTimeout(100)
    count = await server.connections()
  }
  return count
}

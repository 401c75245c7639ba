/**
 * The role of a server by its own word: the primary of its set or a replica.
 */
import type { RawReply } from "../RedisCommand.ts"
import type { Role } from "./settings.ts"

/** Why a server that answered `ROLE` so is not the one that is wanted; `undefined` if it is, or if it does not tell. */
export const whyNot = (reply: RawReply, wanted: Role): string | undefined => {
  if (!Array.isArray(reply)) return undefined
  const [kind, , , link] = reply.map(String)
  const found: Role = kind === "master" ? "primary" : "replica"
  if (found !== wanted) return `the server is a ${found}, and the pool wants a ${wanted}`
  // It would answer with what it had when it lost its primary.
  return found === "replica" && link !== "connected" ? "the replica's link to its primary is down" : undefined
}

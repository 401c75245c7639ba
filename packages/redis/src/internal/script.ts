/**
 * Lua scripts: by their digest, and by their text where the server does not have it.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { any, type Command, type Decoder, make } from "../RedisCommand.ts"
import type { ScriptArgs } from "./connectionModel.ts"
import type { RedisError } from "../RedisError.ts"

export const run = <E, R>(
  send: <A>(command: Command<A>) => Effect.Effect<A, RedisError | E, R>,
  lua: string,
  { args = [], keys = [] }: ScriptArgs = {},
  decode: Decoder<unknown> = any
): Effect.Effect<unknown, RedisError | E, R> => {
  const rest = [keys.length, ...keys, ...args]
  return Effect.catch(
    send(make("EVALSHA", [digest(lua), ...rest], decode)),
    (error) => isMissing(error) ? send(make("EVAL", [lua, ...rest], decode)) : Effect.fail(error)
  )
}

const isMissing = (error: unknown): boolean => {
  const { reason } = error as RedisError
  return reason._tag === "CommandFailed" && reason.code === "NOSCRIPT"
}

/** Programs have few scripts, but one that writes values into its text has many: those are not remembered. */
const digests = new Map<string, string>()

const digest = (lua: string): string => {
  const known = digests.get(lua)
  if (known !== undefined) return known
  const found = createHash("sha1").update(lua).digest("hex")
  if (digests.size < 256) digests.set(lua, found)
  return found
}

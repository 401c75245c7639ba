/** Decoders of what may be missing, made once and not for each command. */
import { float, int, orUndefined, text } from "../../RedisCommand.ts"

export const maybeText = orUndefined(text)
export const maybeInt = orUndefined(int)
export const maybeFloat = orUndefined(float)

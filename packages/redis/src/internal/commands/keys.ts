/**
 * The commands of keys, of the server, and of publishing.
 */
import * as Duration from "effect/Duration"
import { type Arg, type Command, flag, int, list, make, map, ok, type Span, text } from "../../RedisCommand.ts"
import { expiry, some } from "./args.ts"
import { maybeText } from "./maybe.ts"

// -1 says that there is no ttl, -2 that there is no key.
const remaining = map(
  int,
  (millis): Duration.Duration | "persistent" | undefined =>
    millis === -2 ? undefined : millis === -1 ? "persistent" : Duration.millis(millis)
)

export const keys = {
  del: (...keys: ReadonlyArray<Arg>): Command<number> => some("DEL", [], keys, "key", int),
  unlink: (...keys: ReadonlyArray<Arg>): Command<number> => some("UNLINK", [], keys, "key", int),
  /** How many of them exist. */
  exists: (...keys: ReadonlyArray<Arg>): Command<number> => some("EXISTS", [], keys, "key", int),
  expire: (key: Arg, ttl: Span, condition?: "NX" | "XX" | "GT" | "LT"): Command<boolean> =>
    make("PEXPIRE", condition === undefined ? [key, expiry(ttl)] : [key, expiry(ttl), condition], flag),
  persist: (key: Arg): Command<boolean> => make("PERSIST", [key], flag),
  /** How long the key has still to live: `"persistent"` for ever, `undefined` if it does not exist. */
  ttl: (key: Arg): Command<Duration.Duration | "persistent" | undefined> => make("PTTL", [key], remaining),
  /** `"none"` if it does not exist. */
  type: (key: Arg): Command<string> => make("TYPE", [key], text),
  rename: (key: Arg, to: Arg): Command<void> => make("RENAME", [key, to], ok),
  renameNx: (key: Arg, to: Arg): Command<boolean> => make("RENAMENX", [key, to], flag),
  copy: (from: Arg, to: Arg, options?: { readonly replace?: boolean | undefined }): Command<boolean> =>
    make("COPY", options?.replace === true ? [from, to, "REPLACE"] : [from, to], flag),
  touch: (...keys: ReadonlyArray<Arg>): Command<number> => some("TOUCH", [], keys, "key", int),
  randomKey: (): Command<string | undefined> => make("RANDOMKEY", [], maybeText),
  /** All keys that match, in one answer: for tests and small servers. `scan` does it in steps. */
  keys: (pattern: string): Command<ReadonlyArray<string>> => make("KEYS", [pattern], list(text)),
  ping: (): Command<string> => make("PING", [], text),
  echo: (message: Arg): Command<string> => make("ECHO", [message], text),
  dbSize: (): Command<number> => make("DBSIZE", [], int),
  flushDb: (): Command<void> => make("FLUSHDB", [], ok),
  info: (section?: string): Command<string> => make("INFO", section === undefined ? [] : [section], text),
  /** How many subscribers got it. */
  publish: (channel: Arg, message: Arg): Command<number> => make("PUBLISH", [channel, message], int),
  spublish: (channel: Arg, message: Arg): Command<number> => make("SPUBLISH", [channel, message], int)
}

/**
 * Reads a connection URL. What it refuses is told by a rule that never repeats any part of the URL.
 */
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export interface UrlParts {
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: Redacted.Redacted
  readonly db?: number
  readonly tls?: boolean
}

/** The parts, or the rule that the URL breaks. */
export const parse = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    const url = yield* ServerUrl.parse(raw, ["redis:", "rediss:"])
    if (url.search !== "") return yield* Result.fail("must have no parameters: give them as options")
    if (!/^(\/\d{0,9})?$/.test(url.pathname)) {
      return yield* Result.fail("must have no path but the number of a database, as in redis://host:6379/0")
    }
    const host = yield* ServerUrl.hostOf(url)
    const db = url.pathname.slice(1)
    const username = yield* ServerUrl.decode("user", url.username)
    const password = yield* ServerUrl.decode("password", url.password)
    return {
      tls: url.protocol === "rediss:",
      ...(host === "" ? {} : { host }),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password: Redacted.make(password) }),
      ...(db === "" ? {} : { db: Number(db) })
    }
  })

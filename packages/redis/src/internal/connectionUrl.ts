/**
 * Reads a connection URL. What it refuses is told by a rule that never repeats any part of the URL.
 */
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

const malformed = "must be redis://user:password@host:port/db, with special characters percent-encoded"

/** The parts, or the rule that the URL breaks. */
export const parse = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    const url = URL.parse(raw)
    if (url === null || raw.includes("\0")) return yield* Result.fail(malformed)
    if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
      return yield* Result.fail("must begin with redis:// or rediss://")
    }
    if (url.search !== "") return yield* Result.fail("must have no parameters: give them as options")
    if (url.hash !== "" || !/^(\/\d{0,9})?$/.test(url.pathname)) return yield* Result.fail(malformed)
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const db = url.pathname.slice(1)
    const username = yield* decode(url.username)
    const password = yield* decode(url.password)
    return {
      tls: url.protocol === "rediss:",
      ...(host === "" ? {} : { host: yield* decode(host) }),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password: Redacted.make(password) }),
      ...(db === "" ? {} : { db: Number(db) })
    }
  })

const decode = (value: string): Result.Result<string, string> =>
  Result.try({ try: () => decodeURIComponent(value), catch: () => malformed })

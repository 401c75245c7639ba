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
  readonly path?: string
}

const secure: ReadonlySet<string> = new Set(["rediss:", "valkeys:"])

/** The parts, or the rule that the URL breaks. */
export const parse = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    if (/^(?:redis\+)?unix:/i.test(raw)) return yield* ofSocket(raw)
    const url = yield* ServerUrl.parse(raw, ["redis:", "rediss:", "valkey:", "valkeys:"])
    if (url.search !== "") return yield* Result.fail("must have no parameters: give them as options")
    if (!/^(\/\d{0,9})?$/.test(url.pathname)) {
      return yield* Result.fail("must have no path but the number of a database, as in redis://host:6379/0")
    }
    const host = yield* ServerUrl.hostOf(url)
    const db = url.pathname.slice(1)
    const username = yield* ServerUrl.decode("user", url.username)
    const password = yield* ServerUrl.decode("password", url.password)
    return {
      tls: secure.has(url.protocol),
      ...(host === "" ? {} : { host }),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password: Redacted.make(password) }),
      ...(db === "" ? {} : { db: Number(db) })
    }
  })

/** A socket of this machine: `unix:///run/redis.sock?db=1`. */
const ofSocket = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    if (raw.includes("@")) {
      return yield* Result.fail("must have no user and no password before the path of a socket: give them as options")
    }
    const url = yield* ServerUrl.parse(raw, ["unix:", "redis+unix:"])
    const path = yield* ServerUrl.decode("path", url.pathname)
    if (url.host !== "" || !/^\/[^\0]+$/.test(path)) {
      return yield* Result.fail("must have the path of a socket, as in unix:///run/redis.sock")
    }
    const { db, ...unknown } = Object.fromEntries(url.searchParams)
    if (Object.keys(unknown).length > 0 || (db !== undefined && !/^\d{1,9}$/.test(db))) {
      return yield* Result.fail(
        "must have no parameter but the number of a database, as in unix:///run/redis.sock?db=1"
      )
    }
    return { path, ...(db === undefined ? {} : { db: Number(db) }) }
  })

/**
 * Reads a connection URL. What it refuses is told by a rule that never repeats any part of the URL.
 */
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SessionRole } from "../PostgresConfig.ts"

export interface UrlParts {
  host?: string
  port?: number
  database?: string
  username?: string
  password?: Redacted.Redacted
  ssl?: boolean
  applicationName?: string
  startupOptions?: string
  connectTimeout?: number
  role?: SessionRole
}

/** The parts, or the rule that the URL breaks. */
export const parse = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    const url = yield* ServerUrl.parse(raw, ["postgres:", "postgresql:"])
    const authority = {
      host: yield* ServerUrl.hostOf(url),
      port: url.port,
      user: yield* ServerUrl.decode("user", url.username),
      password: yield* ServerUrl.decode("password", url.password),
      dbname: yield* ServerUrl.decode("database", url.pathname.replace(/^\//, ""))
    }
    const parts: UrlParts = {}
    for (const [name, value] of Object.entries(authority)) if (value !== "") yield* set(parts, name, value)
    for (const [name, value] of url.searchParams) yield* set(parts, name, value)
    return parts
  })

type Reader = (value: string) => Result.Result<Partial<UrlParts>, string>

const readers: Readonly<Record<string, Reader>> = {
  host: (host) => host.includes(",") ? Result.fail("must name one host") : Result.succeed({ host }),
  port: (value) => {
    const port = Number(value)
    return Number.isInteger(port) && port > 0 && port < 65_536
      ? Result.succeed({ port })
      : Result.fail("must have a port from 1 to 65535 as its parameter port")
  },
  user: (username) => Result.succeed({ username }),
  password: (password) => Result.succeed({ password: Redacted.make(password) }),
  dbname: (database) => Result.succeed({ database }),
  application_name: (applicationName) => Result.succeed({ applicationName }),
  options: (startupOptions) => Result.succeed({ startupOptions }),
  connect_timeout: (value) =>
    Number(value) > 0 && Number.isFinite(Number(value))
      ? Result.succeed({ connectTimeout: Number(value) * 1000 })
      : Result.fail("must have a connect_timeout of more than 0 seconds"),
  sslmode: (mode) => sslOf(mode),
  channel_binding: (value) =>
    value === "prefer" || value === "disable"
      ? Result.succeed({})
      : Result.fail("asks for channel_binding, which the driver does not have: take the parameter out"),
  target_session_attrs: (value) => roleOf(value)
}

const sslOf = (mode: string): Result.Result<Partial<UrlParts>, string> => {
  switch (mode) {
    case "disable":
      return Result.succeed({ ssl: false })
    case "require":
    case "verify-ca":
    case "verify-full":
      return Result.succeed({ ssl: true })
    case "allow":
    case "prefer":
      return Result.fail(
        `has sslmode=${mode}, which lets anybody in between switch encryption off: say require or disable`
      )
    default:
      return Result.fail("has an sslmode that is none of disable, require, verify-ca and verify-full")
  }
}

const roleOf = (value: string): Result.Result<Partial<UrlParts>, string> => {
  switch (value) {
    case "any":
      return Result.succeed({ role: "any" })
    case "primary":
    case "read-write":
      return Result.succeed({ role: "primary" })
    case "standby":
      return Result.succeed({ role: "standby" })
    default:
      return Result.fail("has a target_session_attrs that is none of any, primary, read-write and standby")
  }
}

const set = (parts: UrlParts, name: string, value: string): Result.Result<void, string> => {
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined
  if (read === undefined) {
    // The name is shown only if it looks like one: a badly encoded password can end up here.
    return Result.fail(
      `has ${/^[a-z_]{1,30}$/.test(name) ? `the parameter ${name}` : "a parameter"}, which is not known`
    )
  }
  return Result.flatMap(read(value), (part) => {
    if (Object.keys(part).some((key) => key in parts)) return Result.fail(`says ${name} twice`)
    Object.assign(parts, part)
    return Result.succeed(undefined)
  })
}

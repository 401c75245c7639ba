/**
 * Reads a connection URL. What it refuses is told by a rule that never repeats any part of the URL.
 */
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AuthMethod, SessionRole } from "../PostgresConfig.ts"
import { authMethods, isAuthMethod } from "./auth.ts"

export interface UrlParts {
  host?: string
  port?: number
  database?: string
  username?: string
  password?: Redacted.Redacted
  ssl?: boolean
  /** Files with an authority, a certificate and its key, as the parameters name them. */
  tlsFiles?: TlsFiles
  sslpassword?: Redacted.Redacted
  minVersion?: "TLSv1.2" | "TLSv1.3"
  applicationName?: string
  startupOptions?: string
  connectTimeout?: number
  role?: SessionRole
  keepAlive?: number
  requireAuth?: ReadonlyArray<AuthMethod>
}

interface TlsFiles {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** The parts, or the rule that the URL breaks. */
export const parse = (raw: string): Result.Result<UrlParts, string> =>
  Result.gen(function*() {
    const { hasHost, text } = yield* withHost(raw)
    const url = yield* ServerUrl.parse(text, ["postgres:", "postgresql:"])
    const socket = url.searchParams.getAll("host")
    // A path names the directory of a socket, and the host before it is only there to make the URL one.
    const isPlaceholder = !hasHost || socket.length === 1 && socket[0]!.startsWith("/")
    const authority = {
      host: isPlaceholder ? "" : yield* ServerUrl.hostOf(url),
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

/** With a host, since `URL` reads none without; libpq takes `user@/database` for the default host, or one that follows. */
const withHost = (raw: string): Result.Result<{ readonly text: string; readonly hasHost: boolean }, string> => {
  const [, start = "", login = "", hosts = "", rest = ""] =
    /^(\s*[a-z]+:\/\/)((?:[^@/?#]*@)?)([^/?#]*)([^]*)$/i.exec(raw) ?? []
  if (hosts.includes(",")) return Result.fail(oneHost)
  if (login === "" || (hosts !== "" && !hosts.startsWith(":"))) return Result.succeed({ text: raw, hasHost: true })
  return Result.succeed({ text: `${start}${login}localhost${hosts}${rest}`, hasHost: false })
}

const oneHost = "must name one host: give each of several servers a pool of its own"

type Reader = (value: string) => Result.Result<Partial<UrlParts>, string>

const readers: Readonly<Record<string, Reader>> = {
  host: (host) => host.includes(",") ? Result.fail(oneHost) : Result.succeed({ host }),
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
  target_session_attrs: (value) => roleOf(value),
  sslrootcert: (path) => Result.succeed(path === "system" ? {} : { tlsFiles: { ca: path } }),
  sslcert: (path) => Result.succeed({ tlsFiles: { cert: path } }),
  sslkey: (path) => Result.succeed({ tlsFiles: { key: path } }),
  sslpassword: (text) => Result.succeed({ sslpassword: Redacted.make(text) }),
  ssl_min_protocol_version: (version) =>
    version === "TLSv1.2" || version === "TLSv1.3"
      ? Result.succeed({ minVersion: version })
      : Result.fail("has an ssl_min_protocol_version that is neither TLSv1.2 nor TLSv1.3"),
  keepalives_idle: (seconds) =>
    Number(seconds) >= 1 && Number.isFinite(Number(seconds))
      ? Result.succeed({ keepAlive: Number(seconds) * 1000 })
      : Result.fail("must have keepalives_idle of 1 second at least"),
  require_auth: (methods) => authOf(methods),
  ...Object.fromEntries(
    [
      ["gssencmode", "disable", "prefer"],
      ["sslnegotiation", "postgres"],
      ["sslsni", "1"],
      ["sslcompression", "0"],
      ["keepalives", "1"],
      ["load_balance_hosts", "disable"],
      ["client_encoding", "UTF8", "utf8", "auto"]
    ].map(([name = "", ...taken]) => [name, onlyAs(name, taken)])
  ),
  ...Object.fromEntries(
    [
      "passfile",
      "service",
      "servicefile",
      "sslcrl",
      "sslcrldir",
      "sslkeylogfile",
      "hostaddr",
      "krbsrvname",
      "gsslib",
      "gssdelegation",
      "replication",
      "requirepeer",
      "requiressl",
      "keepalives_interval",
      "keepalives_count",
      "tcp_user_timeout",
      "ssl_max_protocol_version",
      "sslcertmode",
      "fallback_application_name",
      "scram_client_key",
      "scram_server_key",
      "oauth_issuer",
      "min_protocol_version",
      "max_protocol_version"
    ]
      .map((name) => [name, () => Result.fail(`has the parameter ${name} of libpq, which this pool does not have`)])
  )
}

/** Reads a parameter of libpq that asks for nothing, or for what is done anyway. */
function onlyAs(name: string, taken: ReadonlyArray<string>): Reader {
  return (value) =>
    taken.includes(value)
      ? Result.succeed({})
      : Result.fail(`has a ${name} that this pool does not have: take the parameter out, or say ${taken.join(" or ")}`)
}

const authOf = (text: string): Result.Result<Partial<UrlParts>, string> => {
  const methods = text.split(",").map((method) => method.trim())
  return methods.every(isAuthMethod)
    ? Result.succeed({ requireAuth: methods })
    : Result.fail(`has a require_auth that is no list of ${authMethods.join(", ")}`)
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
  return Result.flatMap(read(value), ({ tlsFiles, ...part }) => {
    if (tlsFiles !== undefined) {
      if (Object.keys(tlsFiles).some((key) => key in (parts.tlsFiles ?? {}))) return Result.fail(`says ${name} twice`)
      parts.tlsFiles = { ...parts.tlsFiles, ...tlsFiles }
    }
    if (Object.keys(part).some((key) => key in parts)) return Result.fail(`says ${name} twice`)
    Object.assign(parts, part)
    return Result.succeed(undefined)
  })
}

/**
 * For authors of backend packages: reads the URL of a server.
 *
 * A URL may hold a password or a token. The rule that a wrong one breaks names the part that is wrong, and never repeats
 * anything of it. Like those of `OptionRules` it completes the sentence that begins with the option's name.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"

/**
 * The URL, or the rule that it breaks. It must have one of the schemes, such as `["redis:", "rediss:"]`, and no fragment.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (text: string, schemes: ReadonlyArray<string>): Result.Result<URL, string> => {
  const url = URL.parse(text)
  const scheme = url?.protocol ?? /^\s*([a-z][a-z0-9+.-]*:)/i.exec(text)?.[1]?.toLowerCase() ?? ""
  if (!schemes.includes(scheme)) return Result.fail(`must begin with ${schemes.join("// or ")}//`)
  if (/\0|%00/.test(text)) return Result.fail("must not have a NUL in it")
  if (url === null || url.port === "0") return Result.fail(wrongAuthority(text))
  if (text.includes("#")) return Result.fail("must have no fragment: a # that is part of a password is written %23")
  return Result.succeed(url)
}

const wrongAuthority = (text: string): string => {
  const authority = /\/\/([^/?#]*)/.exec(text)?.[1] ?? ""
  // Such a character ends the authority, so that the user and the start of the password look like host and port.
  if (!authority.includes("@") && text.includes("@")) {
    return "must have its user and password percent-encoded, with %2F for /, %3F for ? and %23 for #"
  }
  const [, host, port] = /^(\[.*\]|[^:]*):?(.*)$/.exec(authority.slice(authority.lastIndexOf("@") + 1)) ?? []
  if (host === "") return "must name a host"
  return port === "" || isPort(Number(port))
    ? "has a host with characters that no host has"
    : "must have a port from 1 to 65535"
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/**
 * A part of a URL, such as its `password`, without percent-encoding, or the rule that it breaks.
 *
 * @category operations
 * @since 0.1.0
 */
export const decode = (part: string, text: string): Result.Result<string, string> =>
  Result.try({
    try: () => decodeURIComponent(text),
    catch: () => `must have its ${part} percent-encoded, with %25 for a %`
  })

/**
 * The host as sockets take it: decoded, and an IPv6 address without brackets. It is empty in a URL without one.
 *
 * @category operations
 * @since 0.1.0
 */
export const hostOf = (url: URL): Result.Result<string, string> =>
  decode("host", url.hostname.replace(/^\[(.*)\]$/, "$1"))

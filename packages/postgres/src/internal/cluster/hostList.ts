/**
 * URLs that name several hosts, as libpq takes them.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** One URL for each host. Which of them is asked for is not in them, since a cluster finds out who is what. */
export const split = (
  url: Redacted.Redacted
): Result.Result<ReadonlyArray<Redacted.Redacted>, string> => {
  const [, start = "", login = "", hosts = "", rest = ""] =
    /^(\s*[a-z]+:\/\/)((?:[^@/?#]*@)?)([^/?#]*)([^]*)$/i.exec(Redacted.value(url)) ?? []
  // The reader of a URL tells what a text is that is none.
  if (start === "") return Result.succeed([url])
  const wanted = /[?&]target_session_attrs=([^&#]*)/.exec(rest)?.[1]
  if (wanted !== undefined && !taken.has(wanted)) {
    return Result.fail(`has a target_session_attrs that a cluster can't have: say ${Array.from(taken).join(", ")}`)
  }
  const plain = rest.replace(
    /([?&])target_session_attrs=[^&#]*(&?)/,
    (_, before: string, after: string) => after === "" ? "" : before
  )
  const all = hosts.split(",")
  if (all.length > 1 && all.includes("")) return Result.fail("has a list of hosts with an empty one")
  return Result.succeed(all.map((host) => Redacted.make(`${start}${login}${host}${plain}`)))
}

const taken: ReadonlySet<string> = new Set(["any", "primary", "read-write", "prefer-standby"])

/** Several URLs in one text, with commas or spaces between them; a comma within one stands between its hosts. */
const splitUrls = (text: string): ReadonlyArray<Redacted.Redacted> =>
  text.split(/\s+/)
    .flatMap((part) => part.split(/,(?=[a-z]+:\/\/)/i))
    .map(withoutCommas)
    .filter((url) => url !== "")
    .map((url) => Redacted.make(url))

/** Without those at its ends. An expression for that would take the square of the time that the text is long. */
const withoutCommas = (part: string): string => {
  let start = 0
  let end = part.length
  while (start < end && part[start] === ",") start++
  while (end > start && part[end - 1] === ",") end--
  return part.slice(start, end)
}

/** Those of a variable that may be absent. */
export const replicasOf = (text: Option.Option<Redacted.Redacted>): ReadonlyArray<Redacted.Redacted> =>
  Option.match(text, { onNone: () => [], onSome: (text) => splitUrls(Redacted.value(text)) })

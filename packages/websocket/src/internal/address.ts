/**
 * Reads the URL of a server, and says what of it may be shown.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** Fails with the rule that it breaks, which never quotes it. */
export const parse = (url: string | Redacted.Redacted): Result.Result<URL, string> => {
  const text = Redacted.isRedacted(url) ? Redacted.value(url) : url
  if (!URL.canParse(text)) return Result.fail("must be a URL, such as wss://host/path")
  const parsed = new URL(text)
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") return Result.fail("must begin with ws:// or wss://")
  if (parsed.hash !== "") return Result.fail("must have no fragment")
  return Result.succeed(parsed)
}

/** Scheme and host: the rest of a URL may be a secret. */
export const shown = (url: URL): string => `${url.protocol}//${url.host}`
